// SIGSTOP to a process, until it has stopped. kill() only puts the signal in its queue: on a busy machine its threads
// run on until one of them is scheduled to take it, long enough to commit a write.
import type { ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';

// /proc/PID/task/ID/stat: "ID (name) STATE …"; the name may hold anything, also parentheses.
function stillRuns(tasks: string, id: string): boolean {
  try {
    const stat = readFileSync(`${tasks}/${id}/stat`, 'latin1');
    return !['T', 't', 'Z', 'X'].includes(stat.charAt(stat.lastIndexOf(')') + 2));
  } catch {
    return false; // the thread ended meanwhile
  }
}

export async function freeze(child: ChildProcess | undefined): Promise<void> {
  if (!child?.kill('SIGSTOP')) return; // it has ended
  const tasks = `/proc/${String(child.pid)}/task`;
  const deadline = Date.now() + 30_000;
  while (child.exitCode === null && child.signalCode === null && readdirSync(tasks).some((id) => stillRuns(tasks, id))) {
    if (Date.now() > deadline) throw new Error(`process ${String(child.pid)} did not stop within 30 s of SIGSTOP`);
    await new Promise((resolve) => { setTimeout(resolve, 2); });
  }
}
