// The list of conversations, with what stands above and below it.
import { useEffect, useRef } from 'preact/hooks';
import type { ConversationRow } from '../model/contract';
import { Flag } from './flag';
import { HelpIcon, Logo, MarkDrawing, SearchIcon, SettingsIcon } from './icons';
import { nowSignal } from './clock';
import { fullLabel, rowLabel } from './lib/times';
import { badgeText } from './lib/words';
import { useView } from './view';

function Row({ row }: { readonly row: ConversationRow }) {
  const view = useView();
  const now = nowSignal.value;
  return (
    <li>
      <a
        class={row.unread > 0 ? 'conversation-row row-unread' : 'conversation-row'} href={`#/with/${encodeURIComponent(row.peer)}`}
        aria-current={view.isOpen(row) ? 'true' : undefined}
        onClick={(event) => {
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          view.openRow(row);
        }}
      >
        <Flag name={row.peer} size={40} gone={row.peerGone} />
        <span class="row-name">{row.peer}{row.peerGone && <span class="vh">, account deleted</span>}</span>
        <span class="row-time">{row.lastAt !== undefined && <time dateTime={row.lastAt.toISOString()} title={fullLabel(row.lastAt)}>{rowLabel(row.lastAt, now)}</time>}</span>
        <span class="row-line">{row.lastMine && row.lastLine !== '' ? 'You: ' : ''}{row.lastLine}</span>
        <span class="row-end">
          {row.queued > 0 && <><MarkDrawing mark="queued" /><span class="vh">{row.queued} queued</span></>}
          {row.unread > 0 && <span class="badge">{badgeText(row.unread)}<span class="vh"> unread</span></span>}
        </span>
      </a>
    </li>
  );
}

function LoadMore() {
  const { app } = useView();
  const end = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (end.current === null) return;
    const observer = new IntersectionObserver((entries) => { if (entries.some((entry) => entry.isIntersecting)) void app.loadMoreConversations(); }, { rootMargin: '400px' });
    observer.observe(end.current);
    return () => { observer.disconnect(); };
  }, [app]);
  return <li ref={end} class="list-note">Loading more…</li>;
}

function Rows() {
  const view = useView();
  const { app } = view;
  const rows = app.conversations.value;
  if (rows.length === 0 && !app.conversationsLoaded.value) {
    return <div class="conversations" role="status" aria-label="Loading conversations">{[1, 2, 3, 4].map((index) => <div key={index} class="ghost"><i /><i /></div>)}</div>;
  }
  if (rows.length === 0) {
    return (
      <div class="conversations list-note">
        <p>No conversations yet. Find somebody by name and write the first message.</p>
        <button type="button" class="button" onClick={() => { view.dialog.value = 'switcher'; }}>Find people</button>
      </div>
    );
  }
  return (
    <ul class="conversations">
      {rows.map((row) => <Row key={row.key} row={row} />)}
      {app.hasMoreConversations.value && <LoadMore key={`more-${String(rows.length)}`} />}
    </ul>
  );
}

function Pulse() {
  const view = useView();
  const connection = view.app.connection.value;
  const words = {
    connecting: 'Connecting…', reconnecting: 'Reconnecting…', read_only: 'Read-only', offline: 'Offline',
    live: connection.kind === 'live' ? `Live on ${connection.node.replace(/^https?:\/\//u, '')}` : '',
  }[connection.kind];
  const lamp = connection.kind === 'live' ? 'lamp lamp-live' : connection.kind === 'connecting' ? 'lamp' : 'lamp lamp-warning';
  return (
    <button type="button" class="pulse" aria-label={`${words}. Show the cluster`} aria-pressed={view.clusterShown.value} onClick={() => { view.toggleCluster(); }}>
      <span class={lamp} /><span>{words}</span>
    </button>
  );
}

export function ListPane() {
  const view = useView();
  return (
    <nav class="list-pane" aria-label="Conversations">
      <div class="list-head">
        <div class="brand"><Logo size={22} />Parley</div>
        <button type="button" class="icon-button" aria-label="Help" data-tip="Help and keys (?)" onClick={() => { view.dialog.value = 'help'; }}><HelpIcon /></button>
        <button type="button" class="icon-button" aria-label="Settings" data-tip="Settings" onClick={() => { view.dialog.value = 'settings'; }}><SettingsIcon /></button>
      </div>
      <button type="button" class="find" onClick={() => { view.dialog.value = 'switcher'; }}>
        <SearchIcon /><span>Find people</span><kbd class="kbd" aria-hidden="true">Ctrl K</kbd>
      </button>
      <Rows />
      <div class="foot"><Pulse /></div>
    </nav>
  );
}
