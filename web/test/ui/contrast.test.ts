// Every pair of text and ground that the styles use, in both themes: at least 4.5 to 1; edges of inputs and drawings 3 to 1.
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const tokens = readFileSync(new URL('../../src/ui/styles/tokens.css', import.meta.url), 'utf8');
type Theme = 'light' | 'dark';

function colour(name: string, theme: Theme): number[] {
  const both = new RegExp(`--${name}: light-dark\\((#[0-9a-f]{6}), (#[0-9a-f]{6})\\)`, 'u').exec(tokens);
  const one = new RegExp(`--${name}: (#[0-9a-f]{6});`, 'u').exec(tokens);
  const hex = both?.[theme === 'light' ? 1 : 2] ?? one?.[1];
  if (hex === undefined) throw new Error(`no colour --${name}`);
  return [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function luminance(rgb: readonly number[]): number {
  const [red, green, blue] = rgb.map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * red! + 0.7152 * green! + 0.0722 * blue!;
}

function contrast(text: string, ground: string, theme: Theme): number {
  const [low, high] = [luminance(colour(text, theme)), luminance(colour(ground, theme))].sort((a, b) => a - b);
  return (high! + 0.05) / (low! + 0.05);
}

const grounds = ['ground', 'pane', 'sheet', 'hover'];
const texts: [string, string[]][] = [
  ['ink', [...grounds, 'chosen', 'mine', 'theirs', 'brass-ground', 'red-ground']],
  ['ink-soft', [...grounds, 'chosen']],
  ['ink-faint', ['ground', 'pane', 'sheet', 'theirs', 'hover']],
  ['mine-ink-faint', ['mine']],
  ['accent', [...grounds, 'chosen', 'mine', 'theirs']],
  ['brass', ['ground', 'pane', 'sheet', 'mine', 'hover', 'brass-ground', 'chosen']],
  ['red', ['ground', 'pane', 'sheet', 'red-ground']],
  ['on-accent', ['accent-fill', 'accent-fill-hover']],
  ['on-brass', ['brass-fill']],
  ['on-red', ['red-fill']],
];
const edges: [string, string[]][] = [['line-firm', ['ground', 'pane', 'sheet']], ['green', ['pane', 'sheet']], ['brass', ['pane', 'sheet']], ['accent', ['mine']]];

test.each(['light', 'dark'] as const)('the colours of the %s theme are readable', (theme) => {
  for (const [text, on] of texts) for (const ground of on) expect(contrast(text, ground, theme), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
  for (const [edge, on] of edges) for (const ground of on) expect(contrast(edge, ground, theme), `${edge} on ${ground}`).toBeGreaterThanOrEqual(3);
});
