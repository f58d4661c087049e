// Splits message text into plain pieces and links. What comes out is data: the page shows every piece as a text node, never as HTML.
// Only http, https and mailto become links; whatever else looks like an address stays text.

export type TextPiece = { kind: 'text'; text: string } | { kind: 'link'; text: string; href: string; host: string };

const kAllowedSchemes: ReadonlySet<string> = new Set(['http:', 'https:', 'mailto:']);
const kCandidate = /\b(?:https?:\/\/|mailto:)[^\s<>"'`\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]+/giu;
const kClosing: Readonly<Record<string, string>> = { ')': '(', ']': '[', '}': '{' };
const kTrailingPunctuation = '.,;:!?*_~';

// Punctuation at the end belongs to the sentence, and a closing bracket too unless the address itself opened it.
function trimmedLength(candidate: string): number {
  let end = candidate.length;
  while (end > 0) {
    const last = candidate.charAt(end - 1);
    const opening = kClosing[last];
    if (opening !== undefined) {
      const inside = candidate.slice(0, end);
      if (inside.split(last).length <= inside.split(opening).length) break;
    } else if (!kTrailingPunctuation.includes(last)) {
      break;
    }
    end -= 1;
  }
  return end;
}

// The address of a candidate, or null where it is not one that may be opened.
export function safeHref(candidate: string): URL | null {
  try {
    const url = new URL(candidate);
    if (!kAllowedSchemes.has(url.protocol)) return null;
    if (url.protocol === 'mailto:' ? !url.pathname.includes('@') : url.hostname === '') return null;
    return url;
  } catch {
    return null;
  }
}

export function linkify(text: string): TextPiece[] {
  const pieces: TextPiece[] = [];
  let taken = 0;
  for (const match of text.matchAll(kCandidate)) {
    const shown = match[0].slice(0, trimmedLength(match[0]));
    const url = safeHref(shown);
    if (url === null) continue;
    if (match.index > taken) pieces.push({ kind: 'text', text: text.slice(taken, match.index) });
    // The host is told apart from the text: it is in ASCII, so that a name in look-alike letters shows itself.
    pieces.push({ kind: 'link', text: shown, href: url.href, host: url.protocol === 'mailto:' ? url.pathname : url.host });
    taken = match.index + shown.length;
  }
  if (taken < text.length) pieces.push({ kind: 'text', text: text.slice(taken) });
  return pieces;
}
