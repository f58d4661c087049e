import { expect, test } from 'vitest';
import type { ConversationRow } from '../../src/model/contract';
import { barsOf, ceilingOf, momentX, type Box } from '../../src/ui/lib/chart';
import { quorumOf, verdictOf } from '../../src/ui/lib/cluster_words';
import { flagOf } from '../../src/ui/lib/flag';
import { matchingRows, nextUnread, patternTest } from '../../src/ui/lib/match';
import { fragmentOf, placeOf } from '../../src/ui/lib/place';
import { bannerText, tabTitle } from '../../src/ui/lib/words';
import { clusterView } from '../look/scripted_app';

const row = (peer: string, unread = 0): ConversationRow => ({ key: peer, peer, peerGone: false, lastLine: '', lastMine: false, unread, queued: 0 });

test('what is typed finds by part or by glob, and is never a regular expression', () => {
  const rows = [row('bob'), row('abob'), row('bobby.tables', 2), row('carol')];
  expect(matchingRows(rows, 'bob').map((found) => found.peer)).toEqual(['bob', 'bobby.tables', 'abob']);
  expect(matchingRows(rows, '').map((found) => found.peer)[0]).toBe('bobby.tables');
  expect(matchingRows(rows, 'b*b').map((found) => found.peer)).toEqual(['bob']);
  expect(['a?c', 'a[bx]c', 'a[!x]c', 'a.c', '(a', 'a[z-a]c', '[', '*'].map((pattern) => patternTest(pattern)('abc'))).toEqual([true, true, true, false, false, false, false, true]);
});

test('the next unread conversation is found in both directions, round the end', () => {
  const rows = [row('a'), row('b', 1), row('c'), row('d', 2)];
  expect([nextUnread(rows, 2, 1), nextUnread(rows, 3, 1), nextUnread(rows, 1, -1), nextUnread(rows, -1, -1), nextUnread(rows, -1, 1)].map((found) => found?.peer)).toEqual(['d', 'b', 'd', 'd', 'b']);
  expect(nextUnread([row('a'), row('b', 1)], 1, 1)).toBeNull();
  expect(nextUnread([], -1, 1)).toBeNull();
});

test('the address leads back to where it was made', () => {
  for (const place of [{ cluster: false }, { cluster: true }, { peer: 'bob', cluster: false }, { peer: 'cluster', cluster: false }, { peer: 'cluster', cluster: true }, { peer: 'a/ b%', conversationId: 18_446_744_073_709_551_615n, cluster: true }]) {
    expect(placeOf(fragmentOf(place))).toEqual(place);
  }
  for (const odd of ['', '#', '#/x', '#/with', '#/with/', '#/with/%E0%A4%A']) expect(placeOf(odd)).toEqual({ cluster: false });
});

test('the banner says what is so, and nothing while writes work', () => {
  expect(bannerText({ kind: 'live', node: 'x' }, 3)).toBeNull();
  expect(bannerText({ kind: 'read_only', sinceMs: 0, ageMs: 12_000 }, 2)).toEqual({ tone: 'warning', headline: 'Read-only: the cluster has no majority.', detail: 'What you see is 12 s old. 2 messages wait here and will be sent in order, once each.' });
  expect(bannerText({ kind: 'offline', sinceMs: 0 }, 1)?.detail).toContain('1 message waits');
  expect([tabTitle(0), tabTitle(3), tabTitle(1_000)]).toEqual(['Parley', '(3) Parley', '(999+) Parley']);
});

test('the verdict counts voters alone and says how many may still fail', () => {
  expect(verdictOf(clusterView())).toMatchObject({ tone: 'good', detail: 'Node 2 leads in term 7. 2 more may fail.' });
  expect(verdictOf(clusterView({}, [3, 4]))).toMatchObject({ tone: 'warning', detail: 'Node 2 leads in term 7. None may fail now.' });
  expect(verdictOf(clusterView({ writable: false, leaderId: 0 }, [2, 3, 4]))).toMatchObject({ headline: 'Read-only: no majority' });
  expect(verdictOf(clusterView({ writable: false, leaderId: 0 }, [2]))).toMatchObject({ headline: 'Choosing a leader…' });
  expect(verdictOf(clusterView({ reachable: false })).headline).toBe('No node answers');
  const nodes = clusterView().nodes.map((node) => ({ ...node, voter: node.id < 5 }));
  expect(quorumOf(nodes)).toEqual({ voters: 4, healthy: 4, needed: 3 });
});

test('the chart puts the newest second at the right edge and every bar inside its frame', () => {
  const box: Box = { width: 634, height: 150, left: 30, right: 4, top: 20, bottom: 20 };
  expect([0, 1, 7, 10, 11, 250, 999].map((value) => ceilingOf([value]))).toEqual([1, 1, 8, 10, 20, 300, 1_000]);
  const bars = barsOf([0, 5, 10], box);
  expect(bars.map((bar) => bar.height)).toEqual([0, 55, 110]);
  expect(bars[2]!.x + bars[2]!.width).toBeLessThanOrEqual(box.width - box.right);
  expect(barsOf(Array.from({ length: 90 }, () => 3), box)).toHaveLength(60);
  expect([momentX(60_000, 60_000, box), momentX(0, 60_000, box), momentX(0, 60_001, box), momentX(70_000, 60_000, box)]).toEqual([630, 30, null, 630]);
});

test('a name has one flag, near names have different ones, and no flag is of one colour', () => {
  expect(flagOf('ada')).toEqual(flagOf('ada'));
  const flags = Array.from({ length: 400 }, (_, index) => flagOf(`user${index}`));
  expect(new Set(flags.map((flag) => JSON.stringify(flag))).size).toBeGreaterThan(80);
  expect(flags.every((flag) => flag.field !== flag.charge)).toBe(true);
});
