// The cluster as one node sees it: whether it works, who leads, how far everybody is, and what the last failovers cost.
import { useEffect, useMemo } from 'preact/hooks';
import type { ClusterNode, ClusterView, LeaderChange } from '../model/contract';
import { ClusterChart } from './cluster_chart';
import { BackIcon, CloseIcon } from './icons';
import { isUp, roleName, verdictOf } from './lib/cluster_words';
import { clockSecondsLabel, dayLabel, dayNumber, durationLabel } from './lib/times';
import { plural } from './lib/words';
import { useView } from './view';

const indexLabel = (index: bigint): string => index.toLocaleString('en');
// Only the leader knows how far the others are, and of one that it never heard from it knows nothing.
const isKnown = (node: ClusterNode): boolean => node.asked || node.matchIndex > 0n;
const kHighLag = 100;                            // entries; a healthy follower is a few behind at most

function NodeValues({ node, view }: { readonly node: ClusterNode; readonly view: ClusterView }) {
  return (
    <dl class="node-values">
      <div><dt>Match</dt><dd>{isKnown(node) ? indexLabel(node.matchIndex) : '–'}</dd></div>
      <div><dt>Lag</dt><dd class={isKnown(node) && node.lag > kHighLag ? 'lag-high' : ''}>{isKnown(node) ? node.lag.toLocaleString('en') : '–'}</dd></div>
      {node.asked && <div><dt>Applied</dt><dd>{indexLabel(view.appliedIndex)}</dd></div>}
      <div><dt>Last contact</dt><dd>{node.asked ? 'here' : node.lastContactMs === undefined ? '–' : `${durationLabel(node.lastContactMs)} ago`}</dd></div>
    </dl>
  );
}

function NodeCard({ node, view }: { readonly node: ClusterNode; readonly view: ClusterView }) {
  const leads = node.role === 'leader' && node.healthy;
  const classes = ['node', leads ? 'node-leader' : '', isUp(node) ? '' : 'node-down'].filter((name) => name !== '').join(' ');
  return (
    <li class={classes} data-node={node.id}>
      <span class="node-id" aria-hidden="true">{node.id}</span>
      <div class="node-title">
        <span><span class="vh">Node {node.id}: </span>{roleName(node)}</span>
        {node.asked && <span class="node-tag">answers here</span>}
        {!node.voter && <span class="node-tag">no vote</span>}
        <div class="node-addr">{node.httpAddr === '' ? node.peerAddr : node.httpAddr}</div>
      </div>
      <NodeValues node={node} view={view} />
      <span class="node-state"><span class={node.healthy ? 'lamp lamp-live' : 'lamp lamp-warning'} />{node.healthy ? 'Healthy' : node.asked ? 'No majority' : 'No contact'}</span>
    </li>
  );
}

// A second is the whole width: a failover that takes longer than that is one that people notice.
function GapBar({ gapMs }: { readonly gapMs: number }) {
  return (
    <svg width="64" height="6" viewBox="0 0 64 6" aria-hidden="true" focusable="false">
      <rect class="gap-track" width="64" height="6" rx="3" />
      <rect class="gap-fill" width={Math.max(2, Math.min(64, (gapMs / 1_000) * 64))} height="6" rx="3" />
    </svg>
  );
}

function Change({ change, now }: { readonly change: LeaderChange; readonly now: Date }) {
  const today = dayNumber(change.at) === dayNumber(now);
  return (
    <li class="change">
      <time dateTime={change.at.toISOString()}>{today ? clockSecondsLabel(change.at) : dayLabel(change.at, now)}</time>
      <span>{change.leaderId === 0 ? 'No leader' : `Node ${String(change.leaderId)} took over`}, term {indexLabel(change.term)}</span>
      <span class="change-gap">{change.gapMs === undefined ? <span class="vh">gap not known</span> : <><GapBar gapMs={change.gapMs} /><span class="gap-text">{durationLabel(change.gapMs)}</span></>}</span>
    </li>
  );
}

function Changes({ changes, now }: { readonly changes: readonly LeaderChange[]; readonly now: Date }) {
  return (
    <section class="panel" aria-labelledby="changes-title">
      <h3 id="changes-title">Changes of leader <span>how long no write was taken</span></h3>
      {changes.length === 0 ? <p class="told">None since this node started.</p> : <ol class="changes">{changes.slice(0, 8).map((change) => <Change key={String(change.term)} change={change} now={now} />)}</ol>}
    </section>
  );
}

function Verdict({ view }: { readonly view: ClusterView | null }) {
  const verdict = verdictOf(view);
  const lamp = { good: 'lamp lamp-live', warning: 'lamp lamp-warning', idle: 'lamp' }[verdict.tone];
  return (
    <div class="verdict" role="status">
      <div class="verdict-line"><span class={lamp} />{verdict.headline}</div>
      {verdict.detail !== '' && <p>{verdict.detail}</p>}
    </div>
  );
}

function Facts({ view }: { readonly view: ClusterView }) {
  return (
    <dl class="facts">
      <div class="fact"><dt>Term</dt><dd>{indexLabel(view.term)}</dd></div>
      <div class="fact"><dt>Committed</dt><dd>{indexLabel(view.commitIndex)}</dd></div>
      <div class="fact"><dt>Applied here</dt><dd>{indexLabel(view.appliedIndex)}</dd></div>
      <div class="fact"><dt>Writes/s</dt><dd>{(view.writesPerSecond.at(-1) ?? 0).toLocaleString('en')}</dd></div>
    </dl>
  );
}

function ClusterBody({ view }: { readonly view: ClusterView }) {
  const now = new Date();                        // drawn anew with every report, once a second
  return (
    <>
      <Facts view={view} />
      <section class="panel" aria-labelledby="writes-title">
        <h3 id="writes-title">Acknowledged writes <span>per second</span></h3>
        <ClusterChart view={view} now={now} />
      </section>
      <section class="panel" aria-labelledby="nodes-title">
        <h3 id="nodes-title">Nodes <span>{plural(view.nodes.length, 'member', 'members')}</span></h3>
        <ul class="node-table">{view.nodes.map((node) => <NodeCard key={node.id} node={node} view={view} />)}</ul>
      </section>
      <Changes changes={view.leaderChanges} now={now} />
      <p class="told">Told by node {view.askedId} at <span class="mono">{view.askedNode.replace(/^https?:\/\//u, '')}</span>, Parley {view.version}, cluster <span class="mono">{view.clusterId}</span></p>
    </>
  );
}

export function ClusterPane() {
  const ui = useView();
  const feed = useMemo(() => ui.app.cluster(), [ui]);
  useEffect(() => () => { feed.stop(); }, [feed]);
  const view = feed.view.value;
  return (
    <aside class="side-pane" aria-label="Cluster">
      <header class="bar">
        <button type="button" class="icon-button only-narrow" aria-label="Back" onClick={() => { ui.toggleCluster(false); }}><BackIcon /></button>
        <div class="bar-title"><h2>Cluster</h2></div>
        <button type="button" class="icon-button" aria-label="Close the cluster" data-tip="Close (Esc)" onClick={() => { ui.toggleCluster(false); }}><CloseIcon /></button>
      </header>
      <div class="cluster" tabIndex={0} role="group" aria-label="State of the cluster">
        <div class="cluster-body">
          <Verdict view={view} />
          {view !== null && <ClusterBody view={view} />}
        </div>
      </div>
    </aside>
  );
}
