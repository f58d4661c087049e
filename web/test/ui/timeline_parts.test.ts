import { expect, test } from 'vitest';
import type { ShownMessage } from '../../src/model/contract';
import { anchorsOf, correction, isAtEnd, isSeen } from '../../src/ui/lib/anchor';
import { rowsOf, type Row } from '../../src/ui/lib/rows';
import { dayLabel, durationLabel, msToNextDay, rowLabel } from '../../src/ui/lib/times';

const now = new Date(2026, 10, 21, 12, 0, 0);
const at = (day: number, hour: number, minute = 0): Date => new Date(2026, 10, day, hour, minute);
const message = (key: string, sent: Date | undefined, mine = false): ShownMessage => ({ key, mine, senderId: mine ? 1n : 2n, body: key, unread: false, ...(sent && { at: sent }) });
const shape = (rows: readonly Row[]): string => rows.map((row) => (row.kind === 'day' ? `|${row.label}|` : row.kind === 'new' ? 'NEW' : `${row.beginsGroup ? '(' : ''}${row.key}${row.endsGroup ? ')' : ''}`)).join(' ');

test('messages of one sender within five minutes are one group', () => {
  expect(shape(rowsOf([message('a', at(21, 9)), message('b', at(21, 9, 5)), message('c', at(21, 9, 11)), message('d', at(21, 9, 12), true)], null, now))).toBe('|Today| (a b) (c) (d)');
});

test('a day begins with its separator and ends every group', () => {
  expect(shape(rowsOf([message('a', at(20, 23, 59)), message('b', at(21, 0, 1))], null, now))).toBe('|Yesterday| (a) |Today| (b)');
});

test('the line of new messages stands before its message and parts its group', () => {
  expect(shape(rowsOf([message('a', at(21, 9)), message('b', at(21, 9, 1))], 'b', now))).toBe('|Today| (a) NEW (b)');
});

test('what waits in the outbox counts as now, and a clock that ran backwards opens no day twice', () => {
  expect(shape(rowsOf([message('a', at(21, 9), true), message('q', undefined, true)], null, now))).toBe('|Today| (a) (q)');
  const backwards = rowsOf([message('a', at(21, 0, 1)), message('b', at(20, 23, 59)), message('c', at(21, 0, 2))], null, now);
  expect(shape(backwards)).toBe('|Today| (a) (b) (c)');
});

test('days and times are named by their distance', () => {
  expect(dayLabel(at(21, 1), now)).toBe('Today');
  expect(dayLabel(at(15, 1), now)).toBe('Sunday');
  expect(dayLabel(at(14, 1), now)).toMatch(/Saturday,? (14 November|November 14)/u);
  expect(dayLabel(new Date(2025, 0, 2), now)).toContain('2025');
  expect(rowLabel(at(20, 23), now)).toBe('Yesterday');
  expect(rowLabel(at(16, 23), now)).toBe('Mon');
  expect([0, 41, 999, 1_500, 61_000, 600_000, 9e6].map(durationLabel)).toEqual(['0 ms', '41 ms', '999 ms', '1.5 s', '61 s', '10 min', '3 h']);
  expect(msToNextDay(new Date(2026, 10, 21, 23, 59, 59))).toBe(1_000);
});

test('the position is held by the first whole message, or the next one that is still there', () => {
  const anchors = anchorsOf([{ key: 'a', top: -90, bottom: -10 }, { key: 'b', top: -8, bottom: 40 }, { key: 'c', top: 42, bottom: 90 }, { key: 'd', top: 92, bottom: 200 }, { key: 'e', top: 600, bottom: 640 }], 500);
  expect(anchors.map((anchor) => anchor.key)).toEqual(['c', 'd', 'b']);
  const all: Record<string, number> = { b: 992, c: 1_042, d: 1_092 };
  expect(correction(anchors, (key) => all[key])).toBe(1_000);
  const withoutC: Record<string, number> = { b: 992, d: 1_040 };
  expect(correction(anchors, (key) => withoutC[key])).toBe(948);
  expect(correction(anchors, () => undefined)).toBe(0);
  expect(correction([], () => 5)).toBe(0);
});

test('the end is followed from near by only', () => {
  expect([isAtEnd(952, 500, 1_500), isAtEnd(951, 500, 1_500), isAtEnd(0, 500, 300)]).toEqual([true, false, true]);
});

test('seen is half of a message, or half of the viewport of one that is taller', () => {
  expect([isSeen(20, 40, 500), isSeen(19, 40, 500), isSeen(250, 4_000, 500), isSeen(249, 4_000, 500), isSeen(0, 0, 500)]).toEqual([true, false, true, false, false]);
});
