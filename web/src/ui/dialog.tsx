// A modal dialog on the browser's own <dialog>: it traps the focus, makes the rest inert and gives the focus back when it goes.
import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { CloseIcon } from './icons';

export interface DialogProps {
  readonly title: string;
  readonly class?: string;
  readonly bare?: boolean;                       // no head: the content names itself
  readonly close: () => void;
  readonly children: ComponentChildren;
}

export function Dialog({ title, class: name, bare = false, close, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useLayoutEffect(() => {
    const before = document.activeElement;
    const dialog = element.current;
    dialog?.showModal();
    dialog?.querySelector<HTMLElement>('[data-first-focus]')?.focus();
    return () => {
      dialog?.close();
      // What had the focus may be gone with the view that it was in.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={element}
      class={name}
      {...(bare ? { 'aria-label': title } : { 'aria-labelledby': titleId })}
      onCancel={(event) => { event.preventDefault(); close(); }}
      onClick={(event) => { if (event.target === element.current) close(); }}
    >
      {!bare && (
        <div class="dialog-head">
          <h2 id={titleId}>{title}</h2>
          <button type="button" class="icon-button" aria-label="Close" onClick={close}><CloseIcon /></button>
        </div>
      )}
      {children}
    </dialog>
  );
}

export interface ConfirmProps {
  readonly title: string;
  readonly text: string;
  readonly action: string;
  readonly confirm: () => void;
  readonly close: () => void;
}

export function ConfirmDialog({ title, text, action, confirm, close }: ConfirmProps) {
  return (
    <Dialog title={title} close={close}>
      <div class="dialog-body">
        <p>{text}</p>
        <div class="dialog-actions">
          <button type="button" class="button" onClick={close}>Cancel</button>
          <button type="button" class="button button-danger" data-first-focus onClick={() => { confirm(); close(); }}>{action}</button>
        </div>
      </div>
    </Dialog>
  );
}
