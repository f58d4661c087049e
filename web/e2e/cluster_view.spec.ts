// The view of the cluster, live, through a failover.
import { expect, test } from './support/test';

test.use({ clusterOptions: { nodes: 5, proxied: true } });

test('the cluster is shown live: nodes, roles, term, indexes, and a failover with its gap', async ({ open, person, cluster }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  const leader = await cluster.leader();
  const own = await cluster.follower();
  const chat = await open({ as: ann, node: own });
  await chat.brand();
  await chat.pulse.click();
  const view = chat.page.getByRole('complementary', { name: 'Cluster' });
  await expect(view.getByRole('status')).toContainText('All 5 nodes are healthy');
  await expect(view.getByRole('status')).toContainText(`Node ${String(leader)} leads`);
  const node = (id: number) => view.getByRole('listitem').filter({ hasText: `Node ${String(id)}:` });
  for (const id of cluster.ids) await expect(node(id)).toContainText(id === leader ? 'Leader' : 'Follower');
  await expect(node(own)).toContainText('answers here');
  for (const id of cluster.ids) await expect(node(id)).toContainText(cluster.origin(id).replace('http://', ''));

  // What is committed is shown as it happens.
  const status = await cluster.status(own);
  const committed = view.locator('dl').filter({ hasText: 'Committed' }).first();
  await expect(committed).toContainText(status.term.toLocaleString('en'));
  await ann.sendMany(ben.name, Array.from({ length: 200 }, (_, index) => `load ${String(index)}`));
  const after = await cluster.status(own);
  await expect(committed).toContainText(after.commitIndex.toLocaleString('en'));

  await cluster.kill(leader);
  await expect(node(leader)).toContainText(/Down|No contact/);
  const next = await cluster.leader();
  await expect(view.getByRole('status')).toContainText(`Node ${String(next)} leads`);
  await expect(node(next)).toContainText('Leader');
  await expect(view.getByText(`Node ${String(next)} took over`).first()).toBeVisible();
  await cluster.heal();
  await expect(view.getByRole('status')).toContainText('All 5 nodes are healthy');
  await expect(node(leader)).toContainText('Healthy');

  // Its own node dies: another one tells.
  await cluster.kill(own);
  await expect(node(own)).toContainText(/Down|No contact/);
  await expect(node(own)).not.toContainText('answers here');
  await chat.expectNoReload();
  await chat.page.keyboard.press('Escape');
  await expect(view).toHaveCount(0);
});
