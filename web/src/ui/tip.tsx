// The one tooltip of the page. An element asks for it with data-tip; it shows at once, for mouse, keyboard and touch alike, and is never
// the only place of what it says.
import { useEffect, useRef } from 'preact/hooks';

const kGap = 6;

function place(tip: HTMLElement, target: Element): void {
  const spot = target.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, spot.left + spot.width / 2 - size.width / 2), window.innerWidth - size.width - 8);
  const above = spot.top - size.height - kGap;
  tip.style.left = `${String(left)}px`;
  tip.style.top = `${String(above < 8 ? spot.bottom + kGap : above)}px`;
}

export function Tip() {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const tip = element.current;
    if (tip === null) return;
    const hide = (): void => { if (tip.matches(':popover-open')) tip.hidePopover(); };
    const show = (event: Event): void => {
      const target = event.target instanceof Element ? event.target.closest('[data-tip]') : null;
      const text = target?.getAttribute('data-tip');
      if (target === null || text === null || text === undefined) { hide(); return; }
      if (event.type === 'focusin' && !target.matches(':focus-visible')) return;
      tip.textContent = text;
      if (!tip.matches(':popover-open')) tip.showPopover();
      place(tip, target);
    };
    const keys = (event: KeyboardEvent): void => { if (event.key === 'Escape') hide(); };
    document.addEventListener('pointerover', show);
    document.addEventListener('focusin', show);
    document.addEventListener('focusout', hide);
    document.addEventListener('scroll', hide, { capture: true, passive: true });
    document.addEventListener('keydown', keys);
    return () => {
      document.removeEventListener('pointerover', show);
      document.removeEventListener('focusin', show);
      document.removeEventListener('focusout', hide);
      document.removeEventListener('scroll', hide, { capture: true });
      document.removeEventListener('keydown', keys);
    };
  }, []);
  return <div ref={element} class="tip" role="tooltip" popover="manual" />;
}
