// What the cluster's numbers mean, in one sentence. A majority is counted over voters alone.
import type { ClusterNode, ClusterView } from '../../model/contract';
import { durationLabel } from './times';

export type Tone = 'good' | 'warning' | 'idle';

export interface Verdict {
  readonly tone: Tone;
  readonly headline: string;
  readonly detail: string;
}

export interface Quorum {
  readonly voters: number;
  readonly healthy: number;
  readonly needed: number;
}

// A node that answers is up, whatever it thinks of itself: without a majority it calls itself unhealthy.
export function isUp(node: ClusterNode): boolean {
  return node.healthy || node.asked;
}

export function quorumOf(nodes: readonly ClusterNode[]): Quorum {
  const voters = nodes.filter((node) => node.voter);
  return { voters: voters.length, healthy: voters.filter(isUp).length, needed: Math.floor(voters.length / 2) + 1 };
}

function reserve(spare: number): string {
  if (spare <= 0) return 'None may fail now.';
  return spare === 1 ? 'One more may fail.' : `${String(spare)} more may fail.`;
}

export function verdictOf(view: ClusterView | null): Verdict {
  if (view === null) return { tone: 'idle', headline: 'Asking a node…', detail: '' };
  const { voters, healthy, needed } = quorumOf(view.nodes);
  const count = `${String(healthy)} of ${String(voters)} voters are in contact, ${String(needed)} are needed.`;
  if (!view.reachable) return { tone: 'warning', headline: 'No node answers', detail: 'What stands here is the last that was heard.' };
  if (view.writable) {
    const headline = healthy === voters ? (voters === 1 ? 'The only node is healthy' : `All ${String(voters)} nodes are healthy`) : `Working: ${String(healthy)} of ${String(voters)} nodes are healthy`;
    return { tone: healthy === voters ? 'good' : 'warning', headline, detail: `Node ${String(view.leaderId)} leads in term ${view.term.toLocaleString('en')}. ${reserve(healthy - needed)}` };
  }
  const age = view.ageMs === undefined ? '' : ` What is read here is ${durationLabel(view.ageMs)} old.`;
  if (healthy < needed) return { tone: 'warning', headline: 'Read-only: no majority', detail: `${count}${age}` };
  return { tone: 'warning', headline: 'Choosing a leader…', detail: `${count} Writes wait for a moment.` };
}

export function roleName(node: ClusterNode): string {
  if (!isUp(node)) return 'Down';
  switch (node.role) {
    case 'leader': return 'Leader';
    case 'candidate': return 'Candidate';
    case 'follower': return node.voter ? 'Follower' : 'Learner';
    case 'unknown': return node.voter ? 'Voter' : 'Learner';
  }
}
