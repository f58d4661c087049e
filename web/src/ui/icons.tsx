// All drawings of the page. Each is decoration (hidden from assistive technology): what it means is said by the element around it.
import type { ComponentChildren } from 'preact';
import type { Mark } from '../model/contract';

interface StrokeProps { readonly size?: number; readonly class?: string; readonly children: ComponentChildren }

function Stroke({ size = 20, class: name, children }: StrokeProps) {
  return (
    <svg class={name} width={size} height={size} viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

// The mark of Parley: a tick whose three corners are nodes.
export function Logo({ size = 24 }: { readonly size?: number }) {
  return (
    <svg class="logo" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d="M4.5 12.5 10 18 19.5 6" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round" />
      <circle cx="4.5" cy="12.5" r="3.2" fill="currentColor" />
      <circle cx="10" cy="18" r="3.2" fill="currentColor" />
      <circle cx="19.5" cy="6" r="3.2" fill="currentColor" />
    </svg>
  );
}

export const SearchIcon = () => <Stroke size={18}><circle cx="8.8" cy="8.8" r="5.3" /><path d="m13 13 4 4" /></Stroke>;
export const SettingsIcon = () => <Stroke><path d="M3 6h8M15 6h2M3 14h2M9 14h8" /><circle cx="13" cy="6" r="2" /><circle cx="7" cy="14" r="2" /></Stroke>;
export const HelpIcon = () => <Stroke><circle cx="10" cy="10" r="7.2" /><path d="M7.9 7.9a2.1 2.1 0 1 1 3.2 1.8c-.8.5-1.1.9-1.1 1.7M10 13.8v.1" /></Stroke>;
export const CloseIcon = () => <Stroke><path d="m5 5 10 10M15 5 5 15" /></Stroke>;
export const BackIcon = () => <Stroke><path d="M12.5 4.5 7 10l5.5 5.5" /></Stroke>;
export const DownIcon = () => <Stroke size={18}><path d="M10 4v12M5 11l5 5 5-5" /></Stroke>;
export const SendIcon = () => <Stroke><path d="M10 16V4M5 9l5-5 5 5" /></Stroke>;
export const CopyIcon = () => <Stroke size={18}><rect x="7" y="7" width="9.5" height="9.5" rx="1.5" /><path d="M13 7V5a1.5 1.5 0 0 0-1.5-1.5H5A1.5 1.5 0 0 0 3.5 5v6.5A1.5 1.5 0 0 0 5 13h2" /></Stroke>;
export const DeleteIcon = () => <Stroke size={18}><path d="M3.5 5.5h13M8 5.5v-2h4v2M5 5.5l.8 11h8.4l.8-11M8.5 8.5v5M11.5 8.5v5" /></Stroke>;
export const RetryIcon = () => <Stroke size={18}><path d="M16 10a6 6 0 1 1-2-4.5M16 3v3.5h-3.5" /></Stroke>;
export const ClusterIcon = () => <Stroke><circle cx="10" cy="4.8" r="2.3" /><circle cx="4.5" cy="14.5" r="2.3" /><circle cx="15.5" cy="14.5" r="2.3" /><path d="M8.9 6.8 5.7 12.5M11.1 6.8l3.2 5.7M6.8 14.5h6.4" /></Stroke>;
export const WaitIcon = () => <Stroke size={18}><path d="M10 3a7 7 0 1 1-7 7" /></Stroke>;
export const WarningIcon = ({ size = 18 }: { readonly size?: number }) => <Stroke size={size}><path d="M10 3.2 17.5 16.5h-15L10 3.2ZM10 8.5v3.7M10 14.3v.1" /></Stroke>;
export const EyeIcon = () => <Stroke size={18}><path d="M2.5 10s2.8-5 7.5-5 7.5 5 7.5 5-2.8 5-7.5 5-7.5-5-7.5-5Z" /><circle cx="10" cy="10" r="2.2" /></Stroke>;

const drawings: Readonly<Record<Mark, () => ComponentChildren>> = {
  queued: () => <><circle cx="8" cy="8" r="5.3" /><path d="M8 5.2V8l1.8 1.4" /></>,
  sending: () => <g fill="currentColor" stroke="none"><circle cx="3.5" cy="8" r="1.3" /><circle cx="8" cy="8" r="1.3" /><circle cx="12.5" cy="8" r="1.3" /></g>,
  asking_again: () => <path d="M12.8 8A4.8 4.8 0 1 1 11.2 4.4M12.8 2.6v2.7h-2.7M8 6.3V8.5M8 10.3v.1" />,
  committed: () => <path d="m3.5 8.5 3 3 6-7" />,
  read: () => <path d="m1.3 8.5 3 3 6-7M7.3 11.2l.5.3 6-7" />,
  failed: () => <><circle cx="8" cy="8" r="5.5" /><path d="M8 5.2v3.3M8 10.7v.1" /></>,
};

export function MarkDrawing({ mark }: { readonly mark: Mark }) {
  return (
    <svg width="16" height="16" viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
      {drawings[mark]()}
    </svg>
  );
}
