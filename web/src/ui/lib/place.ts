// The fragment of the page's address: "#/with/bob/123", "#/with/bob", "#/cluster", "#/with/bob/123/cluster".

export interface Place {
  readonly peer?: string;
  readonly conversationId?: bigint;
  readonly cluster: boolean;
}

export function fragmentOf(place: Place): string {
  const parts: string[] = [];
  if (place.peer !== undefined) {
    parts.push('with', encodeURIComponent(place.peer));
    if (place.conversationId !== undefined) parts.push(String(place.conversationId));
  }
  if (place.cluster) parts.push('cluster');
  return `#/${parts.join('/')}`;
}

// What is not understood is left out: a wrong address leads to the list.
export function placeOf(fragment: string): Place {
  const parts = fragment.replace(/^#\/?/u, '').split('/');
  const cluster = parts.at(-1) === 'cluster' && parts.length !== 2;
  if (parts[0] !== 'with' || parts[1] === undefined || parts[1] === '') return { cluster };
  let peer: string;
  try {
    peer = decodeURIComponent(parts[1]);
  } catch {
    return { cluster: false };
  }
  const id = parts[2];
  return id !== undefined && /^[1-9][0-9]{0,19}$/u.test(id) ? { peer, conversationId: BigInt(id), cluster } : { peer, cluster };
}
