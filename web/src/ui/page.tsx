// The page: the door, or the three panes. Owns the keys that work everywhere, the tab's title and the theme.
import { useSignalEffect } from '@preact/signals';
import { useEffect, useMemo } from 'preact/hooks';
import type { App } from '../model/contract';
import { Banner } from './banner';
import { startClock } from './clock';
import { ClusterPane } from './cluster';
import { ListPane } from './conversation_list';
import { MainPane } from './conversation';
import { Door } from './door';
import { Help } from './help';
import { nextUnread } from './lib/match';
import { tabTitle } from './lib/words';
import { Settings } from './settings';
import './styles/index.css';
import { Switcher } from './switcher';
import { Tip } from './tip';
import { createView, useView, ViewContext, type View } from './view';

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches('input:not([type=checkbox], [type=radio]), textarea, select'));
}

// Esc with nothing open: to the newest message, ready to write.
function escape(view: View): void {
  if (document.querySelector('dialog[open]') !== null) return;
  if (view.clusterShown.peek()) { view.toggleCluster(false); return; }
  document.querySelector<HTMLButtonElement>('.to-newest')?.click();
  document.querySelector<HTMLTextAreaElement>('.composer textarea')?.focus();
}

function stepUnread(view: View, step: 1 | -1): void {
  const rows = view.app.conversations.peek();
  const row = nextUnread(rows, rows.findIndex((candidate) => view.isOpen(candidate)), step);
  if (row === null) view.say('Nothing unread.');
  else view.openRow(row);
}

function handleKey(view: View, event: KeyboardEvent): void {
  const modal = document.querySelector('dialog[open]') !== null;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === 'k') {
    event.preventDefault();
    view.dialog.value = view.dialog.peek() === 'switcher' ? null : 'switcher';
  } else if (event.altKey && event.shiftKey && (event.key === 'ArrowUp' || event.key === 'ArrowDown') && !modal) {
    event.preventDefault();
    stepUnread(view, event.key === 'ArrowUp' ? -1 : 1);
  } else if (event.key === 'Escape' && !event.isComposing) {
    escape(view);
  } else if (event.key === '?' && !modal && !isTyping(event.target)) {
    event.preventDefault();
    view.dialog.value = 'help';
  }
}

function OpenDialog() {
  switch (useView().dialog.value) {
    case 'switcher': return <Switcher />;
    case 'settings': return <Settings />;
    case 'help': return <Help />;
    case null: return null;
  }
}

function Shell() {
  const view = useView();
  useEffect(() => {
    const keys = (event: KeyboardEvent): void => { handleKey(view, event); };
    const moved = (): void => { view.followAddress(); };
    document.addEventListener('keydown', keys);
    window.addEventListener('popstate', moved);
    return () => {
      document.removeEventListener('keydown', keys);
      window.removeEventListener('popstate', moved);
    };
  }, [view]);
  return (
    <div class="shell" data-at={view.at.value} data-both={view.clusterShown.value && view.opened.value !== null}>
      <Banner />
      <main class="panes">
        <h1 class="vh">Parley</h1>
        <ListPane />
        <MainPane />
      </main>
      {view.clusterShown.value && <ClusterPane />}
      <OpenDialog />
    </div>
  );
}

function Everything() {
  const view = useView();
  const { app } = view;
  useSignalEffect(() => {
    const theme = app.settings.theme.value;
    if (theme === 'system') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  });
  useSignalEffect(() => { document.title = tabTitle(app.session.value.kind === 'signed_in' ? app.totalUnread.value : 0); });
  useSignalEffect(() => { if (app.session.value.kind === 'signed_out') view.leave(); });
  const session = app.session.value;
  return (
    <>
      {session.kind === 'loading' ? null : session.kind === 'signed_out' ? <Door /> : <Shell key={String(session.id)} />}
      <div class="toast" role="status">{view.toast.value}</div>
      <Tip />
    </>
  );
}

export function Page({ app }: { readonly app: App }) {
  const view = useMemo(() => createView(app), [app]);
  useEffect(startClock, []);
  return <ViewContext.Provider value={view}><Everything /></ViewContext.Provider>;
}
