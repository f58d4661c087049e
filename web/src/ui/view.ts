// What the page shows, apart from the data: where the reader is, which dialog is open, what was last said. One per page; the address's
// fragment follows it, so that back, forward and reload work. A fragment never holds anything but names and conversation ids.
import { batch, computed, signal, type ReadonlySignal, type Signal } from '@preact/signals';
import { createContext } from 'preact';
import { useContext } from 'preact/hooks';
import type { App, ConversationRow } from '../model/contract';
import { fragmentOf, placeOf, type Place } from './lib/place';

export type DialogName = 'switcher' | 'settings' | 'help';

export interface Peer { readonly name: string; readonly id?: bigint; readonly conversationId?: bigint }

// `visit` names one opening of a conversation: the view is made anew when it changes, and only then.
export interface Opened { readonly visit: number; readonly peer: Peer }

export interface View {
  readonly app: App;
  readonly opened: ReadonlySignal<Opened | null>;
  readonly clusterShown: ReadonlySignal<boolean>;
  readonly dialog: Signal<DialogName | null>;
  readonly toast: ReadonlySignal<string>;
  readonly composerFocus: Signal<number>;       // counts requests to put the cursor into the composer
  readonly at: ReadonlySignal<'list' | 'conversation' | 'cluster'>;
  isOpen(row: ConversationRow): boolean;
  open(peer: Peer): void;
  openRow(row: ConversationRow): void;
  adoptConversation(id: bigint): void;          // the open conversation got its id: only the address changes
  closeConversation(): void;
  toggleCluster(shown?: boolean): void;
  say(text: string): void;
  followAddress(): void;
  leave(): void;                                 // signed out: nothing stays open for whoever comes next
}

const kToast_ms = 2_600;

function peerOf(place: Place): Peer | null {
  if (place.peer === undefined) return null;
  return place.conversationId === undefined ? { name: place.peer } : { name: place.peer, conversationId: place.conversationId };
}

function samePeer(left: Peer | undefined, right: Peer): boolean {
  if (left?.conversationId !== undefined && right.conversationId !== undefined) return left.conversationId === right.conversationId;
  if (left?.id !== undefined && right.id !== undefined) return left.id === right.id;
  return left?.name === right.name;
}

// What the list knows of a peer: a conversation is asked for by its id, and a reply by its account's.
function withDetails(app: App, peer: Peer): Peer {
  const row = app.conversations.peek().find((candidate) =>
    peer.conversationId !== undefined ? candidate.id === peer.conversationId : peer.id !== undefined ? candidate.peerId === peer.id : candidate.peer === peer.name && !candidate.peerGone);
  return { ...peer, ...(row?.id !== undefined && { conversationId: row.id }), ...(row?.peerId !== undefined && { id: row.peerId }) };
}

function peerOfRow(row: ConversationRow): Peer {
  return { name: row.peer, ...(row.id !== undefined && { conversationId: row.id }), ...(row.peerId !== undefined && { id: row.peerId }) };
}

function createToast(): { readonly toast: ReadonlySignal<string>; readonly say: (text: string) => void } {
  const toast = signal('');
  let timer = 0;
  const say = (text: string): void => {
    toast.value = text;
    clearTimeout(timer);
    timer = window.setTimeout(() => { toast.value = ''; }, kToast_ms);
  };
  return { toast, say };
}

export function createView(app: App): View {
  const start = placeOf(location.hash);
  const startPeer = peerOf(start);
  let visits = 1;
  const opened = signal<Opened | null>(startPeer === null ? null : { visit: visits, peer: startPeer });
  const clusterShown = signal(start.cluster);
  const dialog = signal<DialogName | null>(null);
  const { toast, say } = createToast();
  const composerFocus = signal(0);

  const address = (): string => {
    const peer = opened.peek()?.peer;
    const place: Place = { cluster: clusterShown.peek(), ...(peer && { peer: peer.name }), ...(peer?.conversationId !== undefined && { conversationId: peer.conversationId }) };
    return fragmentOf(place);
  };
  const go = (): void => {
    const target = address();
    if (target !== (location.hash === '' ? '#/' : location.hash)) history.pushState(null, '', target);
  };
  const show = (peer: Peer | null): void => {
    if (peer === null) opened.value = null;
    else if (!samePeer(opened.peek()?.peer, peer)) opened.value = { visit: ++visits, peer };
  };
  const open = (peer: Peer): void => {
    batch(() => {
      show(withDetails(app, peer));
      dialog.value = null;
      composerFocus.value += 1;
      // Where only one of the two has room, the conversation that was asked for is what is shown.
      if (!matchMedia('(min-width: 78em)').matches) clusterShown.value = false;
    });
    go();
  };

  return {
    app, opened, clusterShown, dialog, toast, composerFocus, open,
    at: computed(() => (clusterShown.value ? 'cluster' : opened.value === null ? 'list' : 'conversation')),
    isOpen: (row) => {
      const peer = opened.value?.peer;
      return peer !== undefined && samePeer(peer, peerOfRow(row));
    },
    openRow: (row) => { open(peerOfRow(row)); },
    adoptConversation: (id) => {
      const now = opened.peek();
      if (now === null || now.peer.conversationId === id) return;
      opened.value = { visit: now.visit, peer: { ...now.peer, conversationId: id } };
      history.replaceState(null, '', address());
    },
    closeConversation: () => { opened.value = null; go(); },
    toggleCluster: (shown) => { clusterShown.value = shown ?? !clusterShown.peek(); go(); },
    say,
    leave: () => {
      if (opened.peek() === null && !clusterShown.peek() && dialog.peek() === null) return;
      batch(() => { opened.value = null; clusterShown.value = false; dialog.value = null; });
      history.replaceState(null, '', address());
    },
    followAddress: () => {
      const place = placeOf(location.hash);
      const peer = peerOf(place);
      batch(() => {
        show(peer === null ? null : withDetails(app, peer));
        clusterShown.value = place.cluster;
      });
    },
  };
}

export const ViewContext = createContext<View | null>(null);

export function useView(): View {
  const view = useContext(ViewContext);
  if (view === null) throw new Error('no view around this component');
  return view;
}
