// Acknowledged writes of the last minute, with the changes of the leader in it.
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ClusterView, LeaderChange } from '../model/contract';
import { barsOf, ceilingOf, kSeconds, momentX, type Box } from './lib/chart';
import { durationLabel } from './lib/times';
import { plural } from './lib/words';

const kHeight = 168;

// Drawn at its real width, so that text keeps its size on a phone.
function useWidth(): readonly [{ current: HTMLDivElement | null }, number] {
  const element = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(480);
  useEffect(() => {
    if (element.current === null) return;
    const observer = new ResizeObserver((entries) => {
      const measured = entries[0]?.contentRect.width;
      if (measured !== undefined && measured > 0) setWidth(Math.round(measured));
    });
    observer.observe(element.current);
    return () => { observer.disconnect(); };
  }, []);
  return [element, width];
}

function said(values: readonly number[], changes: readonly LeaderChange[]): string {
  const last = values.at(-1) ?? 0;
  const quiet = values.filter((value) => value === 0).length;
  const parts = [`Acknowledged writes in the last minute: ${plural(values.reduce((sum, value) => sum + value, 0), 'write', 'writes')}, ${String(last)} in the last second, none in ${plural(quiet, 'second', 'seconds')}.`];
  if (changes.length > 0) parts.push(`${plural(changes.length, 'change', 'changes')} of leader.`);
  return parts.join(' ');
}

function ChangeLine({ change, x, box, row }: { readonly change: LeaderChange; readonly x: number; readonly box: Box; readonly row: number }) {
  const text = `Node ${String(change.leaderId)}${change.gapMs === undefined ? '' : ` · ${durationLabel(change.gapMs)}`}`;
  const toLeft = x > box.width - box.right - 96;
  return (
    <g>
      <path class="chart-change" d={`M${String(x)} ${String(4 + row * 14)}V${String(box.height - box.bottom)}`} />
      <circle class="chart-change-dot" cx={x} cy={box.height - box.bottom} r="3.5" />
      <text class="chart-change-label" x={x + (toLeft ? -6 : 6)} y={12 + row * 14} text-anchor={toLeft ? 'end' : 'start'}>{text}</text>
    </g>
  );
}

export function ClusterChart({ view, now }: { readonly view: ClusterView; readonly now: Date }) {
  const [element, width] = useWidth();
  const values = view.writesPerSecond;
  const ceiling = ceilingOf(values);
  const frame: Box = { width, height: kHeight, left: 34, right: 4, top: 12, bottom: 20 };
  const floor = kHeight - frame.bottom;
  const recent = view.leaderChanges
    .map((change) => ({ change, x: momentX(change.at.getTime(), now.getTime(), frame) }))
    .filter((item): item is { change: LeaderChange; x: number } => item.x !== null)
    .slice(0, 4);
  const box: Box = { ...frame, top: frame.top + 14 * recent.length };  // a line for each label above the bars
  return (
    <div class="chart">
      <div ref={element}>
        <svg viewBox={`0 0 ${String(width)} ${String(kHeight)}`} role="img" aria-label={said(values, recent.map((item) => item.change))}>
          {[0, 0.5, 1].map((part) => <path key={part} class="chart-grid" d={`M${String(box.left)} ${String(floor - (floor - box.top) * part)}H${String(width - box.right)}`} />)}
          <text class="chart-axis" x={box.left - 6} y={box.top + 4} text-anchor="end">{ceiling.toLocaleString('en')}</text>
          <text class="chart-axis" x={box.left - 6} y={floor + 4} text-anchor="end">0</text>
          {barsOf(values, box).map((bar, index) => bar.height === 0
            ? <rect key={index} class="chart-zero" x={bar.x} y={floor - 1} width={bar.width} height="1" />
            : <rect key={index} class="chart-bar" x={bar.x} y={bar.y} width={bar.width} height={bar.height} rx="1" />)}
          <text class="chart-axis" x={box.left} y={kHeight - 4}>{kSeconds} s ago</text>
          <text class="chart-axis" x={width - box.right} y={kHeight - 4} text-anchor="end">now</text>
          {recent.map(({ change, x }, index) => <ChangeLine key={String(change.term)} change={change} x={x} box={box} row={index} />)}
        </svg>
      </div>
    </div>
  );
}
