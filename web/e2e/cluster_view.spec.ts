// The view of the cluster, live, through a failover.
import { expect, test } from './support/test';

test.use({ clusterOptions: { nodes: 5, proxied: true } });

const kSoon = { timeout: 3_000 }; // it is drawn anew once a second

test('the cluster is shown live: nodes, roles, term, indexes, and a failover with its gap', async ({ open, person, cluster }) => {
  const [ann, ben] = [await person('ann'), await person('ben')];
  const own = await cluster.follower();
  const chat = await open({ as: ann, node: own });
  await chat.brand();
  await chat.pulse.click();
  const view = chat.page.getByRole('complementary', { name: 'Cluster' });
  const node = (id: number) => view.getByRole('listitem').filter({ hasText: `Node ${String(id)}:` });
  const fact = (name: string) => view.locator('dl > div').filter({ hasText: name }).first().locator('dd');
  await expect(view.getByRole('status')).toContainText('All 5 nodes are healthy');
  for (const id of cluster.ids) await expect(node(id)).toContainText(cluster.origin(id).replace('http://', ''));
  // Where the machine is busy the leader changes by itself: the view shows whoever leads by then.
  let leader = 0;
  await expect(async () => {
    leader = await cluster.leader();
    const { term } = await cluster.status(leader);
    await expect(view.getByRole('status')).toContainText(`Node ${String(leader)} leads in term ${term.toLocaleString('en')}.`, kSoon);
    for (const id of cluster.ids) await expect(node(id)).toContainText(id === leader ? 'Leader' : 'Follower', kSoon);
    await expect(fact('Term')).toHaveText(term.toLocaleString('en'), kSoon);
  }).toPass();

  // What is committed is shown as it happens.
  await ann.sendMany(ben.name, Array.from({ length: 200 }, (_, index) => `load ${String(index)}`));
  await expect(async () => {
    const { commitIndex } = await cluster.status(own);
    await expect(fact('Committed')).toHaveText(commitIndex.toLocaleString('en'), kSoon);
  }).toPass();

  leader = await cluster.leader();
  await cluster.kill(leader);
  await expect(node(leader)).toContainText(/Down|No contact/);
  await expect(async () => {
    const next = await cluster.leader();
    const { term } = await cluster.status(next);
    await expect(view.getByRole('status')).toContainText(`Node ${String(next)} leads`, kSoon);
    await expect(node(next)).toContainText('Leader', kSoon);
    await expect(view.getByText(`Node ${String(next)} took over, term ${term.toLocaleString('en')}`, { exact: true })).toBeVisible(kSoon);
  }).toPass();
  await cluster.heal();
  await expect(view.getByRole('status')).toContainText('All 5 nodes are healthy');
  await expect(node(leader)).toContainText('Healthy');

  // The node that tells dies: another one tells. It is its own, unless that one was silent for a while.
  const here = Number(await view.getByRole('listitem').filter({ hasText: 'answers here' }).getAttribute('data-node'));
  await cluster.kill(here);
  await expect(node(here)).toContainText(/Down|No contact/);
  await expect(node(here)).not.toContainText('answers here');
  await chat.expectNoReload();
  await chat.page.keyboard.press('Escape');
  await expect(view).toHaveCount(0);
});
