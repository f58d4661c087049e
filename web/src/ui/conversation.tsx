// The open conversation: head, log, composer.
import { useSignalEffect } from '@preact/signals';
import { useEffect, useMemo, useState } from 'preact/hooks';
import type { ShownMessage, Timeline } from '../model/contract';
import { Composer } from './composer';
import { ConfirmDialog } from './dialog';
import { Flag } from './flag';
import { BackIcon, ClusterIcon, Logo } from './icons';
import { MessageList } from './message_list';
import type { MessageActions } from './message';
import { useView, type Opened, type View } from './view';

function actionsFor(view: View, timeline: Timeline, askDelete: (message: ShownMessage) => void): MessageActions {
  return {
    copy: (message) => {
      navigator.clipboard.writeText(message.body).then(() => { view.say('Copied.'); }, () => { view.say('The browser does not let the page copy. Select the text instead.'); });
    },
    askDelete,
    retry: (key) => { timeline.retry(key); },
    discard: (key) => { timeline.discard(key); },
  };
}

async function remove(view: View, timeline: Timeline, message: ShownMessage): Promise<void> {
  const outcome = await timeline.remove([message.key]);
  view.say(outcome.ok ? 'Deleted from your view.' : outcome.message);
}

function Head({ timeline }: { readonly timeline: Timeline }) {
  const view = useView();
  const gone = timeline.peerGone.value;
  return (
    <header class="bar">
      <button type="button" class="icon-button only-narrow" aria-label="Back to the conversations" onClick={() => { view.closeConversation(); }}><BackIcon /></button>
      <Flag name={timeline.peer.value} size={32} gone={gone} />
      <div class="bar-title">
        <h2>{timeline.peer.value}</h2>
        {gone && <div class="bar-sub">Account deleted</div>}
      </div>
      <button type="button" class="icon-button" aria-label="Cluster" data-tip="The cluster" aria-pressed={view.clusterShown.value} onClick={() => { view.toggleCluster(); }}><ClusterIcon /></button>
    </header>
  );
}

export function Conversation({ opened }: { readonly opened: Opened }) {
  const view = useView();
  const timeline = useMemo(() => view.app.open(opened.peer), [view, opened.visit]);
  const [doomed, setDoomed] = useState<ShownMessage | null>(null);
  const actions = useMemo(() => actionsFor(view, timeline, setDoomed), [view, timeline]);
  useEffect(() => () => { timeline.close(); }, [timeline]);
  useSignalEffect(() => {
    const id = timeline.conversationId.value;
    if (id !== undefined) view.adoptConversation(id);
  });
  return (
    <>
      <Head timeline={timeline} />
      <MessageList timeline={timeline} actions={actions} />
      {timeline.peerGone.value
        ? <div class="gone">This account was deleted. You can read the conversation, not write to it.</div>
        : <Composer timeline={timeline} sent={() => { if (timeline.hasNewer.peek()) void timeline.jumpToNewest(); }} />}
      {doomed !== null && (
        <ConfirmDialog title="Delete this message?" action="Delete" close={() => { setDoomed(null); }} confirm={() => { void remove(view, timeline, doomed); }}
          text={`It disappears from your view for good. ${timeline.peer.value} keeps their copy.`} />
      )}
    </>
  );
}

export function MainPane() {
  const view = useView();
  const opened = view.opened.value;
  return (
    <section class="main-pane" aria-label="Conversation">
      {opened !== null ? <Conversation key={opened.visit} opened={opened} /> : (
        <div class="empty">
          <Logo size={44} />
          <h2>No conversation is open</h2>
          <p>Choose one on the left, or press <kbd class="kbd">Ctrl</kbd> <kbd class="kbd">K</kbd> to find somebody by name.</p>
        </div>
      )}
    </section>
  );
}
