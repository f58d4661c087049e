// The geometry of the chart of acknowledged writes: one bar a second, the newest at the right, and where in it leaders changed.

export interface Box { readonly width: number; readonly height: number; readonly left: number; readonly right: number; readonly top: number; readonly bottom: number }
export interface Bar { readonly x: number; readonly y: number; readonly width: number; readonly height: number }

export const kSeconds = 60;

// The next of 1, 2, 3, 4, 6, 8, 10, 20, 30 … that is not below the largest value: the scale does not twitch with every sample.
export function ceilingOf(values: readonly number[]): number {
  const largest = Math.max(1, ...values);
  const magnitude = 10 ** Math.floor(Math.log10(largest));
  for (const step of [1, 2, 3, 4, 6, 8, 10]) if (step * magnitude >= largest) return step * magnitude;
  return 10 * magnitude;
}

export function barsOf(values: readonly number[], box: Box): Bar[] {
  const ceiling = ceilingOf(values);
  const slot = (box.width - box.left - box.right) / kSeconds;
  const room = box.height - box.top - box.bottom;
  const shown = values.slice(-kSeconds);
  return shown.map((value, index) => {
    const height = value <= 0 ? 0 : Math.max(1.5, (value / ceiling) * room);
    return { x: box.left + slot * (kSeconds - shown.length + index), y: box.top + room - height, width: Math.max(1, slot - 1), height };
  });
}

// Null: before what the chart shows. The moments are the cluster's, and a clock that is ahead puts them at the right edge.
export function momentX(atMs: number, nowMs: number, box: Box): number | null {
  const ageS = Math.max(0, (nowMs - atMs) / 1_000);
  if (ageS > kSeconds) return null;
  return box.width - box.right - ((box.width - box.left - box.right) * ageS) / kSeconds;
}
