// Sizes as the server counts them: UTF-8 bytes, not characters.

export const kBodyLimitBytes = 16_384;
export const kPasswordMinBytes = 8;
export const kPasswordMaxBytes = 128;

const encoder = new TextEncoder();

export function sizeBytes(text: string): number {
  return encoder.encode(text).length;
}

export type BodySize =
  | { kind: 'fits' }
  | { kind: 'near'; sizeBytes: number; leftBytes: number }
  | { kind: 'over'; sizeBytes: number; overBytes: number };

// `near` begins at nine tenths of the limit: soon enough to finish the sentence.
export function bodySize(text: string): BodySize {
  // A string never has more bytes than three times its length: most texts need no encoding to be known as small.
  if (text.length * 3 < kBodyLimitBytes * 0.9) return { kind: 'fits' };
  const size = sizeBytes(text);
  if (size > kBodyLimitBytes) return { kind: 'over', sizeBytes: size, overBytes: size - kBodyLimitBytes };
  if (size >= kBodyLimitBytes * 0.9) return { kind: 'near', sizeBytes: size, leftBytes: kBodyLimitBytes - size };
  return { kind: 'fits' };
}
