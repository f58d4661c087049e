// Holding the reading position: what was at some height of the viewport stays at that height when messages are put in front, taken away
// or change their size. Pure arithmetic; the list measures and scrolls.

export interface Placed {
  readonly key: string;
  readonly top: number;     // pixels from the top edge of the viewport, may be negative
  readonly bottom: number;
}

export interface Anchor {
  readonly key: string;
  readonly top: number;
}

// Everything that can be seen, the topmost whole one first: if that one is deleted, the next holds the position.
export function anchorsOf(placed: readonly Placed[], viewportHeight: number): Anchor[] {
  const visible = placed.filter((item) => item.bottom > 0 && item.top < viewportHeight);
  const whole = visible.filter((item) => item.top >= 0);
  const cut = visible.filter((item) => item.top < 0);
  return [...whole, ...cut].map(({ key, top }) => ({ key, top }));
}

// By how much to scroll so that the first anchor that is still there has its old height again.
export function correction(anchors: readonly Anchor[], topNow: (key: string) => number | undefined): number {
  for (const anchor of anchors) {
    const now = topNow(anchor.key);
    if (now !== undefined) return now - anchor.top;
  }
  return 0;
}

// Near enough to the end to go along with what arrives.
export const kFollowDistance = 48;

export function isAtEnd(scrollTop: number, clientHeight: number, scrollHeight: number): boolean {
  return scrollHeight - clientHeight - scrollTop <= kFollowDistance;
}

// Seen = at least half of it is in the viewport, or, for what is taller than that, it fills half of the viewport.
export function isSeen(visibleHeight: number, height: number, viewportHeight: number): boolean {
  return visibleHeight > 0 && (visibleHeight * 2 >= height || visibleHeight * 2 >= viewportHeight);
}
