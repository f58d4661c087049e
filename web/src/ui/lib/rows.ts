// Turns the messages of a conversation into the rows that are drawn: separators of days, the "new messages" line, and messages that know
// whether they begin or end a group (one sender, one day, no more than five minutes between two).
import type { ShownMessage } from '../../model/contract';
import { dayLabel, dayNumber } from './times';

export const kGroupGap_ms = 300_000;

export type Row =
  | { kind: 'day'; key: string; label: string }
  | { kind: 'new'; key: string }
  | { kind: 'message'; key: string; message: ShownMessage; beginsGroup: boolean; endsGroup: boolean };

export type MessageRow = Extract<Row, { kind: 'message' }>;

function follows(earlier: ShownMessage, later: ShownMessage, now: Date): boolean {
  if (earlier.mine !== later.mine || earlier.senderId !== later.senderId) return false;
  const earlierAt = earlier.at ?? now;
  const laterAt = later.at ?? now;
  return dayNumber(earlierAt) === dayNumber(laterAt) && laterAt.getTime() - earlierAt.getTime() <= kGroupGap_ms;
}

// What is queued has no time of the server yet: it counts as now.
export function rowsOf(messages: readonly ShownMessage[], newLineBefore: string | null, now: Date): Row[] {
  const rows: Row[] = [];
  let day: number | null = null;
  messages.forEach((message, index) => {
    const at = message.at ?? now;
    const itsDay = dayNumber(at);
    // A message that a clock put before its elder opens no day a second time.
    if (day === null || itsDay > day) {
      rows.push({ kind: 'day', key: `day-${String(itsDay)}`, label: dayLabel(at, now) });
      day = itsDay;
    }
    if (message.key === newLineBefore) rows.push({ kind: 'new', key: 'new-line' });
    const before = messages[index - 1];
    const after = messages[index + 1];
    rows.push({
      kind: 'message',
      key: message.key,
      message,
      beginsGroup: before === undefined || message.key === newLineBefore || !follows(before, message, now),
      endsGroup: after === undefined || after.key === newLineBefore || !follows(message, after, now),
    });
  });
  return rows;
}
