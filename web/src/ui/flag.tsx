import type { JSX } from 'preact';
import { flagOf, type FlagPattern } from './lib/flag';

// Each charge on a field of 20 by 20.
const charges: Readonly<Record<FlagPattern, (fill: string) => JSX.Element>> = {
  pale: (fill) => <path class={fill} d="M7 0h6v20H7z" />,
  fess: (fill) => <path class={fill} d="M0 7h20v6H0z" />,
  bend: (fill) => <path class={fill} d="M0 0h20L0 20z" />,
  saltire: (fill) => <path class={fill} d="M0 0h4l6 6 6-6h4v4l-6 6 6 6v4h-4l-6-6-6 6H0v-4l6-6-6-6z" />,
  cross: (fill) => <path class={fill} d="M7.5 0h5v7.5H20v5h-7.5V20h-5v-7.5H0v-5h7.5z" />,
  border: (fill) => <path class={fill} d="M5.5 5.5h9v9h-9z" />,
  quarter: (fill) => <path class={fill} d="M0 0h10v20h10V10H0z" />,
  disc: (fill) => <circle class={fill} cx="10" cy="10" r="5.2" />,
  pile: (fill) => <path class={fill} d="M0 0l14 10L0 20z" />,
  chequer: (fill) => <path class={fill} d="M0 0h6.7v6.7H0zM13.3 0H20v6.7h-6.7zM6.7 6.7h6.6v6.6H6.7zM0 13.3h6.7V20H0zM13.3 13.3H20V20h-6.7z" />,
};

export function Flag({ name, size, gone = false }: { readonly name: string; readonly size: number; readonly gone?: boolean }) {
  const flag = flagOf(name);
  return (
    <svg class={gone ? 'flag flag-gone' : 'flag'} width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path class={`fill-${flag.field}`} d="M0 0h20v20H0z" />
      {charges[flag.pattern](`fill-${flag.charge}`)}
    </svg>
  );
}
