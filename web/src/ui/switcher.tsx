// Ctrl-K: from anywhere to any conversation or person, by part of a name or a glob.
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { Person } from '../model/contract';
import { Dialog } from './dialog';
import { Flag } from './flag';
import { CloseIcon, SearchIcon } from './icons';
import { matchingRows } from './lib/match';
import { badgeText } from './lib/words';
import { useView, type Peer } from './view';

const kPatience_ms = 120;
const kPatternLimit = 64;

interface Choice { readonly key: string; readonly peer: Peer; readonly note: string; readonly unread: number; readonly gone: boolean; readonly group: 'Conversations' | 'People' }

type Found = { readonly kind: 'idle' } | { readonly kind: 'searching' } | { readonly kind: 'people'; readonly people: readonly Person[] } | { readonly kind: 'failed'; readonly message: string };

function useSearch(pattern: string): Found {
  const { app } = useView();
  const [found, setFound] = useState<Found>({ kind: 'idle' });
  useEffect(() => {
    if (pattern === '') { setFound({ kind: 'idle' }); return; }
    if (pattern.length > kPatternLimit) { setFound({ kind: 'failed', message: `At most ${String(kPatternLimit)} characters.` }); return; }
    let current = true;
    setFound((before) => (before.kind === 'people' ? before : { kind: 'searching' }));
    const timer = setTimeout(() => {
      void app.searchPeople(pattern).then((outcome) => {
        if (current) setFound(outcome.ok ? { kind: 'people', people: outcome.value } : { kind: 'failed', message: outcome.message });
      });
    }, kPatience_ms);
    return () => { current = false; clearTimeout(timer); };
  }, [pattern, app]);
  return found;
}

function useChoices(pattern: string, found: Found): Choice[] {
  const { app } = useView();
  const session = app.session.value;
  const rows = matchingRows(app.conversations.value, pattern);
  const choices: Choice[] = rows.map((row) => ({
    key: `row-${row.key}`, group: 'Conversations', unread: row.unread, gone: row.peerGone, note: row.peerGone ? 'account deleted' : '',
    peer: { name: row.peer, ...(row.id !== undefined && { conversationId: row.id }), ...(row.peerId !== undefined && { id: row.peerId }) },
  }));
  if (found.kind !== 'people') return choices;
  const listed = new Set(rows.filter((row) => !row.peerGone).map((row) => row.peer));
  for (const person of found.people) {
    if (listed.has(person.name)) continue;
    const self = session.kind === 'signed_in' && session.id === person.id;
    choices.push({ key: `person-${String(person.id)}`, group: 'People', unread: 0, gone: false, note: self ? 'you: notes to yourself' : '', peer: { name: person.name, id: person.id } });
  }
  return choices;
}

function OptionRow({ choice, id, chosen, pick, point }: { readonly choice: Choice; readonly id: string; readonly chosen: boolean; readonly pick: () => void; readonly point: () => void }) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => { if (chosen) element.current?.scrollIntoView({ block: 'nearest' }); }, [chosen]);
  return (
    <div ref={element} id={id} class="option" role="option" aria-selected={chosen} onClick={pick} onPointerMove={() => { if (!chosen) point(); }}>
      <Flag name={choice.peer.name} size={32} gone={choice.gone} />
      <span class="option-name">{choice.peer.name}</span>
      {choice.note !== '' && <span class="option-note">{choice.note}</span>}
      {choice.unread > 0 && <span class="badge" aria-label={`${String(choice.unread)} unread`}>{badgeText(choice.unread)}</span>}
    </div>
  );
}

function said(pattern: string, found: Found, count: number): string {
  if (found.kind === 'failed') return found.message;
  if (found.kind === 'searching') return 'Searching…';
  if (count > 0) return '';
  return pattern === '' ? 'Type a part of a name.' : `Nobody here is called “${pattern}”.`;
}

export function Switcher() {
  const view = useView();
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const id = useId();
  const pattern = text.trim().toLowerCase();
  const found = useSearch(pattern);
  const choices = useChoices(pattern, found);
  const at = Math.min(chosen, choices.length - 1);
  const close = (): void => { view.dialog.value = null; };
  const keys = (event: KeyboardEvent): void => {
    if (event.isComposing) return;
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    const choice = choices[at];
    if (step !== 0 && choices.length > 0) setChosen((at + step + choices.length) % choices.length);
    else if (event.key === 'Enter' && choice !== undefined) view.open(choice.peer);
    else return;
    event.preventDefault();
  };
  const message = said(pattern, found, choices.length);
  return (
    <Dialog title="Find people and conversations" class="switcher" bare close={close}>
      <div class="switcher-head">
        <SearchIcon />
        <input data-first-focus type="text" role="combobox" aria-label="Name, or a part of it" aria-expanded="true" aria-controls={`${id}-list`} aria-autocomplete="list"
          {...(choices.length > 0 && { 'aria-activedescendant': `${id}-${String(at)}` })} placeholder="Name, or a part of it" autocomplete="off" autocapitalize="none" spellcheck={false}
          value={text} onKeyDown={keys} onInput={(event) => { setText(event.currentTarget.value); setChosen(0); }} />
        <button type="button" class="icon-button" aria-label="Close" onClick={close}><CloseIcon /></button>
      </div>
      <div class="switcher-list" id={`${id}-list`} role="listbox" aria-label="Matches">
        {(['Conversations', 'People'] as const).map((group) => {
          const mine = choices.map((choice, index) => ({ choice, index })).filter((item) => item.choice.group === group);
          return mine.length > 0 && (
            <div key={group} role="group" aria-label={group}>
              <div class="switcher-group" aria-hidden="true">{group}</div>
              {mine.map(({ choice, index }) => (
                <OptionRow key={choice.key} id={`${id}-${String(index)}`} choice={choice} chosen={index === at} pick={() => { view.open(choice.peer); }} point={() => { setChosen(index); }} />
              ))}
            </div>
          );
        })}
      </div>
      <div class="switcher-foot" role="status">
        {message !== '' ? <span>{message}</span> : <><span><kbd class="kbd">↑</kbd> <kbd class="kbd">↓</kbd> choose</span><span><kbd class="kbd">Enter</kbd> open</span><span><kbd class="kbd">*</kbd> <kbd class="kbd">?</kbd> stand for any letters, one letter</span></>}
      </div>
    </Dialog>
  );
}
