// Where a message is written. The draft belongs to the model: it outlives this view, a reload and the node.
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import type { Timeline } from '../model/contract';
import { SendIcon } from './icons';
import { bodySize, kBodyLimitBytes } from './lib/bytes';
import { useView } from './view';

const number = (value: number): string => value.toLocaleString('en');

function Note({ draft }: { readonly draft: string }) {
  const size = bodySize(draft);
  if (size.kind === 'fits') return null;
  return size.kind === 'over'
    ? <span class="composer-note-over">{number(size.overBytes)} bytes too long: a message has at most {number(kBodyLimitBytes)} bytes.</span>
    : <span>{number(size.leftBytes)} of {number(kBodyLimitBytes)} bytes left</span>;
}

export function Composer({ timeline, sent }: { readonly timeline: Timeline; readonly sent: () => void }) {
  const view = useView();
  const input = useRef<HTMLTextAreaElement>(null);
  const chose = useRef(false);
  const draft = timeline.draft.value;
  const connection = view.app.connection.value.kind;
  const over = bodySize(draft).kind === 'over';
  const empty = draft.trim() === '';
  const focusRequest = view.composerFocus.value;

  // Grows with its text: the height that the text asks for is known only when the box does not hold it open.
  useLayoutEffect(() => {
    const box = input.current;
    if (box === null) return;
    box.style.height = 'auto';
    box.style.height = `${String(box.scrollHeight)}px`;
  }, [draft]);
  // On a phone a focused composer opens the keyboard over half of what one came to read.
  useEffect(() => { if (matchMedia('(hover: hover)').matches) input.current?.focus(); }, [focusRequest, timeline]);

  const send = (): void => {
    if (empty || over) return;
    timeline.send(draft);
    sent();
    input.current?.focus();
  };
  // Enter that ends the choice of a character (an input method) is not a send; some browsers tell of the key only after the choice.
  const composed = (): void => {
    chose.current = true;
    setTimeout(() => { chose.current = false; });
  };
  const keys = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing || chose.current) return;
    event.preventDefault();
    send();
  };
  return (
    <form class="composer" aria-label="Write a message" onSubmit={(event) => { event.preventDefault(); send(); }}>
      <div class={over ? 'composer-box composer-over' : 'composer-box'}>
        <textarea ref={input} rows={1} value={draft} aria-label={`Message to ${timeline.peer.value}`} aria-describedby="composer-note" aria-invalid={over}
          placeholder={connection === 'live' || connection === 'connecting' ? `Message ${timeline.peer.value}` : 'Write; it is sent when writes work again'}
          onCompositionEnd={composed} onKeyDown={keys} onInput={(event) => { timeline.draft.value = event.currentTarget.value; }} />
        <button type="submit" class="send" aria-label="Send" data-tip="Send (Enter)" disabled={empty || over}><SendIcon /></button>
      </div>
      <div class="composer-note" id="composer-note" aria-live="polite"><Note draft={draft} /></div>
    </form>
  );
}
