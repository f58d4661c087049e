// Which received messages the reader has really had before their eyes: in the viewport, in a visible document, in a focused window.
import { isSeen } from './lib/anchor';

const kSteps = Array.from({ length: 21 }, (_, index) => index / 20);

export class SeenWatcher {
  private readonly inView_ = new Set<bigint>();
  private readonly ids_ = new WeakMap<Element, bigint>();
  private watched_ = new Set<Element>();
  private readonly observer_: IntersectionObserver;

  constructor(private readonly root_: HTMLElement, private readonly tell_: (ids: readonly bigint[]) => void) {
    this.observer_ = new IntersectionObserver((entries) => { this.notice_(entries); }, { root: root_, threshold: kSteps });
    document.addEventListener('visibilitychange', this.flush_);
    window.addEventListener('focus', this.flush_);
  }

  // The messages that are still unread, with their elements. Those that are no longer among them are let go.
  watch(unread: ReadonlyMap<Element, bigint>): void {
    for (const element of this.watched_) {
      if (unread.has(element)) continue;
      this.observer_.unobserve(element);
      const id = this.ids_.get(element);
      if (id !== undefined) this.inView_.delete(id);
    }
    for (const [element, id] of unread) {
      if (this.watched_.has(element)) continue;
      this.ids_.set(element, id);
      this.observer_.observe(element);
    }
    this.watched_ = new Set(unread.keys());
  }

  stop(): void {
    this.observer_.disconnect();
    document.removeEventListener('visibilitychange', this.flush_);
    window.removeEventListener('focus', this.flush_);
  }

  private notice_(entries: readonly IntersectionObserverEntry[]): void {
    for (const entry of entries) {
      const id = this.ids_.get(entry.target);
      if (id === undefined) continue;
      if (isSeen(entry.intersectionRect.height, entry.boundingClientRect.height, this.root_.clientHeight)) this.inView_.add(id);
      else this.inView_.delete(id);
    }
    this.flush_();
  }

  private readonly flush_ = (): void => {
    if (this.inView_.size === 0 || document.visibilityState !== 'visible' || !document.hasFocus()) return;
    this.tell_([...this.inView_]);
  };
}
