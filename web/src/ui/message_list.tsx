// The messages of one conversation: a log that is scrolled, followed at its end, and loaded on at both ends.
import { useSignalEffect } from '@preact/signals';
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { ShownMessage, Timeline } from '../model/contract';
import { nowSignal } from './clock';
import { Flag } from './flag';
import { DownIcon } from './icons';
import { rowsOf, type Row } from './lib/rows';
import { badgeText } from './lib/words';
import { Message, type MessageActions } from './message';
import { ScrollKeeper } from './scroll';
import { SeenWatcher } from './seen';
import { useView } from './view';

const kLoadAhead = 1.5;                          // viewports before an end at which more is asked for
const kQuietAfterLoad_ms = 600;

export interface MessageListProps { readonly timeline: Timeline; readonly actions: MessageActions }

// Additions are announced, but not the older messages that are put in front while somebody scrolls up.
function useAnnounced(timeline: Timeline): boolean {
  const loading = timeline.loading.value !== null;
  const [quiet, setQuiet] = useState(true);
  useEffect(() => {
    if (loading) { setQuiet(true); return; }
    const timer = setTimeout(() => { setQuiet(false); }, kQuietAfterLoad_ms);
    return () => { clearTimeout(timer); };
  }, [loading]);
  return !loading && !quiet;
}

function useLoading(timeline: Timeline, scroller: { readonly current: HTMLElement | null }): () => void {
  return useCallback(() => {
    const box = scroller.current;
    if (box === null || timeline.loading.peek() !== null) return;
    const ahead = box.clientHeight * kLoadAhead;
    if (timeline.hasOlder.peek() && box.scrollTop < ahead) void timeline.loadOlder();
    else if (timeline.hasNewer.peek() && box.scrollHeight - box.clientHeight - box.scrollTop < ahead) void timeline.loadNewer();
  }, [timeline, scroller]);
}

// Marks as seen what is before the reader's eyes.
function useSeen(timeline: Timeline, scroller: { readonly current: HTMLElement | null }, messages: readonly ShownMessage[]): void {
  const watcher = useRef<SeenWatcher | null>(null);
  const isWanted = useView().app.settings.markRead.value; // once it is wanted again, what is in view then is seen then
  useEffect(() => {
    if (scroller.current === null || !isWanted) return;
    const made = new SeenWatcher(scroller.current, (ids) => { timeline.seen(ids); });
    watcher.current = made;
    return () => { made.stop(); watcher.current = null; };
  }, [timeline, scroller, isWanted]);
  useEffect(() => {
    const unread = new Map<string, bigint>();
    for (const message of messages) if (message.unread && message.id !== undefined) unread.set(message.key, message.id);
    const elements = new Map<Element, bigint>();
    if (unread.size > 0) {
      for (const element of scroller.current?.querySelectorAll<HTMLElement>('[data-key]') ?? []) {
        const id = unread.get(element.dataset['key'] ?? '');
        if (id !== undefined) elements.set(element, id);
      }
    }
    watcher.current?.watch(elements);
  }, [messages, scroller, isWanted]);
}

// Arrow keys walk through the messages; the one that was walked to has its tools in the tab order.
function useWalk(scroller: { readonly current: HTMLElement | null }) {
  const [active, setActive] = useState<string | null>(null);
  const keys = (event: KeyboardEvent): void => {
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const target = event.target instanceof Element ? event.target.closest('[data-key]') : null;
    const onLog = event.target === scroller.current;
    if (step === undefined || event.altKey || event.ctrlKey || event.metaKey || (!onLog && event.target !== target)) return;
    const all = [...(scroller.current?.querySelectorAll<HTMLElement>('[data-key]') ?? [])];
    const next = onLog ? all.at(-1) : all[all.findIndex((element) => element === target) + step];
    if (next === undefined) return;
    event.preventDefault();
    next.focus();
    next.scrollIntoView({ block: 'nearest' });
  };
  const focused = (event: FocusEvent): void => {
    const message = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-key]') : null;
    setActive(message?.dataset['key'] ?? null);
  };
  return { active, keys, focused };
}

function RowView({ row, peer, active, actions }: { readonly row: Row; readonly peer: string; readonly active: string | null; readonly actions: MessageActions }) {
  switch (row.kind) {
    case 'day': return <div class="day" role="separator" aria-label={row.label}><span>{row.label}</span></div>;
    case 'new': return <div class="new-line" role="separator" aria-label="New messages"><span>New messages</span></div>;
    case 'message':
      return <Message message={row.message} sender={row.message.mine ? 'You' : peer} beginsGroup={row.beginsGroup} endsGroup={row.endsGroup} active={active === row.key} actions={actions} />;
  }
}

function Start({ timeline }: { readonly timeline: Timeline }) {
  const loading = timeline.loading.value;
  const error = timeline.error.value;
  if (error !== null && timeline.messages.value.length === 0) return <div class="log-start" role="status">{error}</div>;
  if (loading === 'first') return <div class="log-edge">Loading…</div>;
  if (timeline.hasOlder.value) return <div class="log-edge">{error ?? (loading === 'older' ? 'Loading older messages…' : '')}</div>;
  return <div class="log-start"><Flag name={timeline.peer.value} size={56} gone={timeline.peerGone.value} />This is the beginning of your conversation with {timeline.peer.value}.</div>;
}

interface Jump { readonly shown: boolean; readonly go: () => void; readonly arrived: number }

function JumpButton({ jump, below }: { readonly jump: Jump; readonly below: number }) {
  if (!jump.shown) return null;
  const count = below + jump.arrived;
  return (
    <button type="button" class="to-newest" onClick={jump.go}>
      <DownIcon />{count > 0 ? <><span class="badge">{badgeText(count)}</span>New messages</> : 'Newest'}
    </button>
  );
}

// How many were received behind a message. Where that one is gone, the newest alone is counted.
function receivedAfter(messages: readonly ShownMessage[], key: string | null): number {
  const at = messages.findIndex((message) => message.key === key);
  return messages.slice(at < 0 ? -1 : at + 1).filter((message) => !message.mine).length;
}

export function MessageList({ timeline, actions }: MessageListProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const keeper = useMemo(() => new ScrollKeeper(() => !timeline.hasNewer.peek()), [timeline]);
  const placed = useRef(false);
  const newestKey = useRef<string | null>(null);
  const [away, setAway] = useState(false);
  const [arrived, setArrived] = useState(0);
  const messages = timeline.messages.value;
  const hasNewer = timeline.hasNewer.value;
  const announced = useAnnounced(timeline);
  const load = useLoading(timeline, scroller);
  const walk = useWalk(scroller);
  const rows = rowsOf(messages, timeline.newLineBefore.value, nowSignal.value);
  keeper.measure();                              // before the elements change: see scroll.ts

  useLayoutEffect(() => (scroller.current !== null && content.current !== null ? keeper.attach(scroller.current, content.current) : undefined), [keeper]);
  useLayoutEffect(() => {
    if (messages.length > 0 && !placed.current) {
      placed.current = true;
      const line = scroller.current?.querySelector<HTMLElement>('.new-line');
      if (line) keeper.show(line);
      else keeper.toEnd();
    } else {
      const last = messages.at(-1);
      const added = last !== undefined && last.key !== newestKey.current;
      if (added && last.mine && last.id === undefined && !hasNewer) keeper.toEnd();
      else keeper.settle();
      const received = added ? receivedAfter(messages, newestKey.current) : 0;
      if (received > 0 && !hasNewer && !keeper.atEnd) setArrived((count) => count + received);
    }
    newestKey.current = messages.at(-1)?.key ?? null;
  });
  useEffect(load, [messages, load]);
  useSignalEffect(() => { if (timeline.loading.value === null) load(); });
  useSeen(timeline, scroller, messages);

  const look = (): void => {
    keeper.measure();
    const box = scroller.current;
    const far = box !== null && box.scrollHeight - box.clientHeight - box.scrollTop > 240;
    setAway(far);
    if (keeper.atEnd) setArrived(0);
    load();
  };
  const go = (): void => {
    void timeline.jumpToNewest().then(() => { keeper.toEnd(); setArrived(0); });
  };
  return (
    <div class="log-frame">
      <div ref={scroller} class="log" role="log" aria-live={announced ? 'polite' : 'off'} aria-relevant="additions" aria-label={`Messages with ${timeline.peer.value}`} tabIndex={0}
        onScroll={look} onKeyDown={walk.keys} onFocusIn={walk.focused}>
        <div ref={content} class="log-content">
          <Start timeline={timeline} />
          {rows.map((row) => <RowView key={row.key} row={row} peer={timeline.peer.value} active={walk.active} actions={actions} />)}
          {hasNewer && <div class="log-edge">{timeline.loading.value === 'newer' ? 'Loading newer messages…' : ''}</div>}
        </div>
      </div>
      <JumpButton jump={{ shown: hasNewer || away, go, arrived }} below={timeline.newBelow.value} />
    </div>
  );
}
