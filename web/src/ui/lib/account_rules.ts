// The rules for names and passwords, in the words that stand beside their fields. The server decides; this only answers sooner.
import { kPasswordMaxBytes, kPasswordMinBytes, sizeBytes } from './bytes';

export const kNameRule = '1 to 32 characters: a–z, 0–9, dot, underscore, hyphen.';
export const kPasswordRule = '8 to 128 bytes. Length counts for more than odd characters.';

export function nameProblem(name: string): string | null {
  if (name === '') return 'Enter a name.';
  if (name.length > 32) return `At most 32 characters; this has ${String(name.length)}.`;
  const bad = /[^a-z0-9._-]/iu.exec(name);
  if (bad === null) return null;
  return /\s/u.test(bad[0]) ? 'A name has no spaces. Allowed: a–z, 0–9, dot, underscore, hyphen.' : `“${bad[0]}” cannot be in a name. Allowed: a–z, 0–9, dot, underscore, hyphen.`;
}

export function passwordProblem(password: string): string | null {
  if (password === '') return 'Enter a password.';
  const size = sizeBytes(password);
  if (size < kPasswordMinBytes) return `At least ${String(kPasswordMinBytes)} bytes; this has ${String(size)}.`;
  if (size > kPasswordMaxBytes) return `At most ${String(kPasswordMaxBytes)} bytes; this has ${String(size)}.`;
  return null;
}
