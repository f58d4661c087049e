// One labelled input with its rule before and its error beside it.
import { useEffect, useId, useRef } from 'preact/hooks';
import { WarningIcon } from './icons';

export interface FieldProps {
  readonly label: string;
  readonly name: string;
  readonly type?: 'text' | 'password';
  readonly value: string;
  readonly hint?: string;
  readonly error?: string | undefined;
  readonly autocomplete: string;
  readonly first?: boolean;
  readonly focusRequest?: number;               // the input takes the focus whenever this grows
  readonly change: (value: string) => void;
}

export function Field({ label, name, type = 'text', value, hint, error, autocomplete, first = false, focusRequest = 0, change }: FieldProps) {
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => { if (focusRequest > 0) input.current?.focus(); }, [focusRequest]);
  const described = [hint === undefined ? '' : `${id}-hint`, error === undefined ? '' : `${id}-error`].filter((part) => part !== '').join(' ');
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {hint !== undefined && <div class="field-hint" id={`${id}-hint`}>{hint}</div>}
      <input
        ref={input} id={id} name={name} type={type} value={value} autocomplete={autocomplete} autocapitalize="none" spellcheck={false}
        aria-invalid={error !== undefined} {...(described !== '' && { 'aria-describedby': described })} {...(first && { 'data-first-focus': true })}
        onInput={(event) => { change(event.currentTarget.value); }}
      />
      {error !== undefined && <div class="field-error" id={`${id}-error`} role="alert"><WarningIcon size={16} /><span>{error}</span></div>}
    </div>
  );
}
