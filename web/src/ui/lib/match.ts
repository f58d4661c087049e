// Which conversations answer to what was typed. The same rules as the server's globs, over what is already here: it answers at once.
import type { ConversationRow } from '../../model/contract';

const kGlob = /[*?[]/u;

// `*`, `?` and `[...]` as in a glob; everything else stands for itself.
export function patternTest(pattern: string): (name: string) => boolean {
  if (!kGlob.test(pattern)) return (name) => name.includes(pattern);
  let source = '';
  for (let at = 0; at < pattern.length; at += 1) {
    const letter = pattern.charAt(at);
    const close = letter === '[' ? pattern.indexOf(']', at + 2) : -1;
    if (letter === '*') source += '.*';
    else if (letter === '?') source += '.';
    else if (close > 0) {
      const inside = pattern.slice(at + 1, close);
      const negated = inside.startsWith('!') || inside.startsWith('^');
      source += `[${negated ? '^' : ''}${(negated ? inside.slice(1) : inside).replace(/[\\\]^[]/gu, '\\$&')}]`;
      at = close;
    } else source += letter.replace(/[\\^$.*+?()[\]{}|/-]/gu, '\\$&');
  }
  try {
    const test = new RegExp(`^${source}$`, 'u');
    return (name) => test.test(name);
  } catch {
    return () => false;                          // a set whose range runs backwards matches nothing
  }
}

// With nothing typed: unread ones first, then as the list has them. Names that begin with the pattern come before those that contain it.
export function matchingRows(rows: readonly ConversationRow[], pattern: string, limit = 8): ConversationRow[] {
  const rank = (row: ConversationRow): number => (pattern === '' ? (row.unread > 0 ? 0 : 1) : row.peer.startsWith(pattern) ? 0 : 1);
  const test = patternTest(pattern);
  return rows.filter((row) => test(row.peer)).map((row, index) => ({ row, index })).sort((a, b) => rank(a.row) - rank(b.row) || a.index - b.index).slice(0, limit).map(({ row }) => row);
}

// The next unread conversation in a direction, round the end; null if there is none.
export function nextUnread(rows: readonly ConversationRow[], from: number, step: 1 | -1): ConversationRow | null {
  for (let tried = 1; tried <= rows.length; tried += 1) {
    const index = (((from < 0 && step === -1 ? rows.length : from) + step * tried) % rows.length + rows.length) % rows.length;
    const row = rows[index];
    if (row !== undefined && index !== from && row.unread > 0) return row;
  }
  return null;
}
