// The picture of an account: a flag, as ships fly them, drawn from the name alone. The same name has the same flag everywhere.

export const kFlagPatterns = ['pale', 'fess', 'bend', 'saltire', 'cross', 'border', 'quarter', 'disc', 'pile', 'chequer'] as const;
export type FlagPattern = (typeof kFlagPatterns)[number];

export const kFlagColours = ['navy', 'sea', 'rust', 'brass', 'moss', 'plum'] as const;
export type FlagColour = (typeof kFlagColours)[number];

export interface Flag {
  readonly pattern: FlagPattern;
  readonly field: FlagColour;
  readonly charge: FlagColour | 'paper';
}

// FNV-1a with a final mix: near names get flags that are far apart.
function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const character of name) {
    hash ^= character.codePointAt(0) ?? 0;
    hash = Math.imul(hash, 0x01000193);
  }
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  hash ^= hash >>> 12;
  return hash >>> 0;
}

export function flagOf(name: string): Flag {
  const hash = hashOf(name);
  const pattern = kFlagPatterns[hash % kFlagPatterns.length] ?? 'pale';
  const field = kFlagColours[(hash >>> 8) % kFlagColours.length] ?? 'navy';
  // Two colours side by side need contrast: brass is light and goes with any, the dark ones take paper or brass.
  const charge = field === 'brass' ? 'navy' : (hash >>> 16) % 3 === 0 ? 'brass' : 'paper';
  return { pattern, field, charge };
}
