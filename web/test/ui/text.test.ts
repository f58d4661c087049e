import { expect, test } from 'vitest';
import { nameProblem, passwordProblem } from '../../src/ui/lib/account_rules';
import { bodySize, kBodyLimitBytes, sizeBytes } from '../../src/ui/lib/bytes';
import { linkify, safeHref, type TextPiece } from '../../src/ui/lib/linkify';

const links = (text: string): string[] => linkify(text).flatMap((piece) => (piece.kind === 'link' ? [piece.text] : []));
const joined = (pieces: readonly TextPiece[]): string => pieces.map((piece) => piece.text).join('');

test('http, https and mailto become links, everything else stays text', () => {
  expect(links('see https://example.org/a?b=c#d and http://x.test, or mailto:ada@example.org.')).toEqual(['https://example.org/a?b=c#d', 'http://x.test', 'mailto:ada@example.org']);
  for (const text of ['javascript:alert(1)', 'JAVASCRIPT://x%0aalert(1)', 'data:text/html,<b>x</b>', 'file:///etc/passwd', 'vbscript:x', 'www.example.org', 'https://', 'http:// x', 'mailto:nobody']) {
    expect(links(text), text).toEqual([]);
  }
  expect(safeHref('javascript:alert(1)//http://x')).toBeNull();
});

test('no piece of a text is lost or changed', () => {
  for (const text of ['', 'a', ' https://a.b ', 'x(https://a.b/(c))y', '<a href="https://a.b">z</a>', 'https://a.b\u202ehttps://c.d', '“https://a.b”', 'https://a.b,https://c.d', '\nhttp://a.b\n\n']) {
    expect(joined(linkify(text)), text).toBe(text);
  }
});

test('punctuation after a link belongs to the sentence', () => {
  expect(links('(https://a.b/c)')).toEqual(['https://a.b/c']);
  expect(links('https://en.wikipedia.org/wiki/Raft_(algorithm).')).toEqual(['https://en.wikipedia.org/wiki/Raft_(algorithm)']);
  expect(links('Is it https://a.b/c?!')).toEqual(['https://a.b/c']);
});

test('markup and directional controls end a link, and look-alike hosts are told in ASCII', () => {
  expect(links('https://a.b/<script>')).toEqual(['https://a.b/']);
  expect(links('https://a.b/\u202etxt')).toEqual(['https://a.b/']);
  const piece = linkify('https://\u0435xample.org')[0]!;
  expect(piece.kind === 'link' && piece.host.startsWith('xn--')).toBe(true);
});

test('sizes are UTF-8 bytes', () => {
  expect([sizeBytes('abc'), sizeBytes('é'), sizeBytes('漢'), sizeBytes('\u{1f600}')]).toEqual([3, 2, 3, 4]);
  expect(bodySize('x'.repeat(kBodyLimitBytes))).toEqual({ kind: 'near', sizeBytes: kBodyLimitBytes, leftBytes: 0 });
  expect(bodySize('x'.repeat(kBodyLimitBytes + 1))).toEqual({ kind: 'over', sizeBytes: kBodyLimitBytes + 1, overBytes: 1 });
  expect(bodySize('漢'.repeat(5_462))).toEqual({ kind: 'over', sizeBytes: 16_386, overBytes: 2 });
  expect(bodySize('漢'.repeat(5_461)).kind).toBe('near');
  expect(bodySize('x'.repeat(14_000)).kind).toBe('fits');
});

test('names and passwords are judged by the rules of the server, in words that name the limit', () => {
  const names: [string, boolean][] = [['', false], ['a', true], ['A.b_c-9', true], ['x'.repeat(32), true], ['x'.repeat(33), false], ['a b', false], ['é', false], ['a/b', false], ['a\u0000', false]];
  const passwords: [string, boolean][] = [['', false], ['1234567', false], ['12345678', true], ['é'.repeat(4), true], ['x'.repeat(128), true], ['x'.repeat(129), false], ['漢'.repeat(43), false]];
  for (const [name, good] of names) expect(nameProblem(name) === null, name).toBe(good);
  for (const [password, good] of passwords) expect(passwordProblem(password) === null, password).toBe(good);
  expect(nameProblem('x'.repeat(33))).toContain('32');
  expect(passwordProblem('é'.repeat(3))).toContain('6');
});
