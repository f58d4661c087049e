// The scenes that are looked at: /?scene=NAME.
import { render } from 'preact';
import type { ConversationRow, ShownMessage } from '../../src/model/contract';
import { Page } from '../../src/ui/page';
import { clusterView, longTalk, people, ScriptedApp, talk, type ScriptedTimeline } from './scripted_app';

const now = new Date();
const lines = [
  'Then the leader died and I did not even notice.', 'See you at ten.', 'Could you look at the numbers again? They do not add up for March.', 'Thanks, that works.',
  'https://example.org/minutes/2026-11', 'On the train. Back in an hour.', 'I moved it to Thursday.', 'Yes', 'Which room?', 'Done, all green.', 'Welcome to Parley!', 'Got it', 'A line',
];

function rows(): ConversationRow[] {
  const ages = [2, 14, 47, 190, 1_500, 1_600, 3_100, 6_000, 7_900, 12_000, 40_000, 90_000, 700_000];
  return people.map((peer, index) => ({
    key: peer, id: BigInt(100 + index), peer, peerId: BigInt(index + 2), peerGone: peer === 'ines', lastLine: lines[index] ?? '', lastAt: new Date(now.getTime() - (ages[index] ?? 0) * 60_000),
    lastMine: index % 3 === 2, unread: [0, 3, 0, 1, 0, 0, 128, 0, 0, 0, 0, 0, 0][index] ?? 0, queued: 0,
  }));
}

function everyday(timeline: ScriptedTimeline): void {
  const said = talk([
    ['them', 1_560, 'Did the failover test run last night?'],
    ['me', 1_555, 'It did. Two hundred rounds: leader killed, frozen, cut off, one after another.'],
    ['me', 1_554, 'Nothing lost, nothing doubled. Longest gap was 312 ms.'],
    ['them', 1_540, 'Good. Where is the report?'],
    ['me', 1_538, 'https://example.org/reports/2026-11-20?view=gaps (the table at the end).'],
    ['them', 62, 'Morning! I read it on the train. One question about the table: the third column counts from when the leader is killed, or from the last acknowledged write?'],
    ['me', 58, 'From the last acknowledged write. That is what somebody who types would feel.'],
    ['them', 57, 'Makes sense.'],
    ['me', 9, 'I am going to kill the leader while we talk. Tell me if you notice anything.', 'read'],
    ['them', 8, 'Ha. Go ahead.'],
    ['them', 8, 'Well?'],
    ['me', 6, 'That was it. Node 2 is gone, node 4 leads.', 'committed'],
    ['them', 2, 'Then the leader died and I did not even notice.'],
  ], now);
  timeline.fill(said.map((message): ShownMessage => (message.key === 'talk-12' ? { ...message, unread: true } : message)), 300);
  timeline.newLineBefore.value = 'talk-12';
}

function allMarks(timeline: ScriptedTimeline): void {
  const said = talk([
    ['me', 12, 'read', 'read'], ['me', 11, 'committed', 'committed'],
    ['me', 0, 'The answer to this one was lost on the way.', 'asking_again'],
    ['me', 0, 'And this one is on its way.', 'sending'],
    ['me', 0, 'Written while the cluster had no majority.', 'queued'],
    ['me', 0, 'This went to somebody who is no longer here.', 'failed'],
  ], now);
  timeline.fill(said.map((message): ShownMessage => (message.mark === 'failed' ? { ...message, failure: 'Recipient does not exist.', canRetry: true } : message)), 300);
}

function stage(app: ScriptedApp, scene: string): void {
  app.conversations.value = rows();
  app.totalUnread.value = 132;
  everyday(app.open({ name: 'amara', conversationId: 100n }));
  switch (scene) {
    case 'door': app.session.value = { kind: 'signed_out' }; break;
    case 'empty': app.conversations.value = []; app.totalUnread.value = 0; break;
    case 'marks':
      allMarks(app.open({ name: 'amara' }));
      app.connection.value = { kind: 'read_only', sinceMs: Date.now() - 9_000, ageMs: 9_000 };
      app.queuedCount.value = 3;
      break;
    case 'failover': {
      const writes = clusterView().writesPerSecond.map((value, second) => (second === 41 ? 64 : second === 42 ? 88 : value));
      app.clusterSignal.value = clusterView({ term: 8n, writesPerSecond: writes, leaderChanges: [{ term: 8n, leaderId: 4, at: new Date(Date.now() - 18_000), gapMs: 47 }, ...clusterView().leaderChanges] }, [2], 4);
      break;
    }
    case 'no-majority': {
      const writes = clusterView().writesPerSecond.map((value, second) => (second > 46 ? 0 : value));
      app.clusterSignal.value = clusterView({ writable: false, ageMs: 13_400, writesPerSecond: writes, leaderId: 0 }, [2, 3, 4], 0);
      app.connection.value = { kind: 'read_only', sinceMs: Date.now() - 9_000, ageMs: 13_400 };
      app.queuedCount.value = 1;
      break;
    }
    case 'long': app.open({ name: 'amara' }).fill(longTalk(10_000, now), 50); break;
    case 'gone': everyday(app.open({ name: 'ines', conversationId: 108n })); break;
    default: break;
  }
}

const app = new ScriptedApp();
stage(app, new URLSearchParams(location.search).get('scene') ?? '');
Object.assign(window, { scripted: app });
const root = document.getElementById('app');
if (root) render(<Page app={app} />, root);
