// Days and times as people read them. Every function takes `now`, so that a test can stand anywhere in time.

const kDay_ms = 86_400_000;

function locale(): string {
  // The page is in English; a reader's own kind of English (12 or 24 hours, order of day and month) is kept.
  const own = typeof navigator === 'undefined' ? undefined : navigator.language;
  return own !== undefined && own.toLowerCase().startsWith('en') ? own : 'en-GB';
}

const formats = new Map<string, Intl.DateTimeFormat>();

// Making a format costs more than using one a hundred times.
function format(key: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  let made = formats.get(key);
  if (made === undefined) {
    made = new Intl.DateTimeFormat(locale(), options);
    formats.set(key, made);
  }
  return made;
}

// The same for all moments of one local day, and ordered by time.
export function dayNumber(at: Date): number {
  return Math.round(Date.UTC(at.getFullYear(), at.getMonth(), at.getDate()) / kDay_ms);
}

export function clockLabel(at: Date): string {
  return format('clock', { hour: '2-digit', minute: '2-digit' }).format(at);
}

export function clockSecondsLabel(at: Date): string {
  return format('seconds', { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(at);
}

export function fullLabel(at: Date): string {
  return format('full', { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(at);
}

// The line between two days.
export function dayLabel(at: Date, now: Date): string {
  const ago = dayNumber(now) - dayNumber(at);
  if (ago === 0) return 'Today';
  if (ago === 1) return 'Yesterday';
  if (ago > 1 && ago < 7) return format('weekday', { weekday: 'long' }).format(at);
  if (at.getFullYear() === now.getFullYear()) return format('day', { weekday: 'long', day: 'numeric', month: 'long' }).format(at);
  return format('day_year', { day: 'numeric', month: 'long', year: 'numeric' }).format(at);
}

// The time in a row of the list: short, and as exact as its age deserves.
export function rowLabel(at: Date, now: Date): string {
  const ago = dayNumber(now) - dayNumber(at);
  if (ago <= 0) return clockLabel(at);
  if (ago === 1) return 'Yesterday';
  if (ago < 7) return format('weekday_short', { weekday: 'short' }).format(at);
  if (at.getFullYear() === now.getFullYear()) return format('day_short', { day: 'numeric', month: 'short' }).format(at);
  return format('day_year_short', { day: 'numeric', month: 'short', year: 'numeric' }).format(at);
}

// "40 ms", "3.2 s", "2 min", "3 h": for gaps, lags and ages.
export function durationLabel(durationMs: number): string {
  if (durationMs < 1_000) return `${String(Math.round(durationMs))} ms`;
  if (durationMs < 10_000) return `${(durationMs / 1_000).toFixed(1)} s`;
  if (durationMs < 120_000) return `${String(Math.round(durationMs / 1_000))} s`;
  if (durationMs < 7_200_000) return `${String(Math.round(durationMs / 60_000))} min`;
  return `${String(Math.round(durationMs / 3_600_000))} h`;
}

export function msToNextDay(now: Date): number {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1).getTime() - now.getTime();
}
