// The time that labels are written by. It moves on when the day does and when the page is looked at again: nothing on the page counts seconds.
import { signal } from '@preact/signals';
import { msToNextDay } from './lib/times';

export const nowSignal = signal(new Date());

export function startClock(): () => void {
  let timer = 0;
  const turn = (): void => {
    nowSignal.value = new Date();
    clearTimeout(timer);
    timer = window.setTimeout(turn, msToNextDay(nowSignal.value) + 50);
  };
  const look = (): void => { if (document.visibilityState === 'visible') turn(); };
  document.addEventListener('visibilitychange', look);
  turn();
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', look);
  };
}
