// Where the reader is in a conversation, held through every change of the list. The browser's own scroll anchoring is off: it does not
// hold a position at the very top, and two mechanisms that correct the same thing correct it twice.
//
// How a change is survived: the list's render function runs before its elements change. It calls `measure`, which notes what stands where;
// after the elements have changed, in the same frame and before anything is painted, `settle` scrolls by the difference.
import { anchorsOf, correction, isAtEnd, type Anchor } from './lib/anchor';

export class ScrollKeeper {
  private scroller_: HTMLElement | null = null;
  private anchors_: Anchor[] = [];
  private atEnd_ = true;
  private resized_: ResizeObserver | null = null;

  // `reachesNewest`: whether the end of what is loaded is the end of the conversation; only then is the end followed.
  constructor(private readonly reachesNewest_: () => boolean) {}

  get atEnd(): boolean { return this.atEnd_; }

  // Text that wraps anew, or a composer that grows, moves things without any change of the list.
  attach(scroller: HTMLElement, content: HTMLElement): () => void {
    this.scroller_ = scroller;
    this.resized_ = new ResizeObserver(() => { this.settle(); });
    this.resized_.observe(scroller);
    this.resized_.observe(content);
    return () => {
      this.resized_?.disconnect();
      this.scroller_ = null;
    };
  }

  measure(): void {
    const scroller = this.scroller_;
    if (scroller === null) return;
    this.atEnd_ = isAtEnd(scroller.scrollTop, scroller.clientHeight, scroller.scrollHeight);
    const edge = scroller.getBoundingClientRect().top;
    const placed = [...scroller.querySelectorAll<HTMLElement>('[data-key]')].map((element) => {
      const box = element.getBoundingClientRect();
      return { key: element.dataset['key'] ?? '', top: box.top - edge, bottom: box.bottom - edge };
    });
    this.anchors_ = anchorsOf(placed, scroller.clientHeight);
  }

  settle(): void {
    const scroller = this.scroller_;
    if (scroller === null) return;
    if (this.atEnd_ && this.reachesNewest_()) {
      scroller.scrollTop = scroller.scrollHeight;
      return;
    }
    const edge = scroller.getBoundingClientRect().top;
    const moved = correction(this.anchors_, (key) => {
      const element = this.element_(key);
      return element === null ? undefined : element.getBoundingClientRect().top - edge;
    });
    if (moved !== 0) scroller.scrollTop += moved;
  }

  toEnd(): void {
    if (this.scroller_ === null) return;
    this.scroller_.scrollTop = this.scroller_.scrollHeight;
    this.atEnd_ = true;
  }

  // Puts an element a third of the way down: what is before it gives it its context.
  show(element: HTMLElement): void {
    const scroller = this.scroller_;
    if (scroller === null) return;
    scroller.scrollTop += element.getBoundingClientRect().top - scroller.getBoundingClientRect().top - Math.round(scroller.clientHeight / 3);
    this.measure();
  }

  private element_(key: string): HTMLElement | null {
    return this.scroller_?.querySelector<HTMLElement>(`[data-key="${CSS.escape(key)}"]`) ?? null;
  }
}
