/* State machines and graphs that were put, and how one looks. */
import { t } from '../i18n';
import { GraphView } from '../graph';
import { path } from '../lib/api';
import { number } from '../lib/format';
import { useLive } from '../lib/live';
import { graphOf } from '../lib/machine';
import { Link, urlOf } from '../lib/router';
import type { Machine } from '../lib/types';
import { CodeOf, Empty, Facts, Page, right, Shown, Table, When } from '../ui';

export function MachineList() {
	const live = useLive<{ machines: Machine[] }>('machines', 5000);
	return (
		<Page title={t('menu.machines')}>
			<Shown live={live}>
				{({ machines }) =>
					machines.length === 0 ? (
						<Empty>{t('machines.none')}</Empty>
					) : (
						<Table
							label={t('menu.machines')}
							heads={[t('name'), t('version'), t('added'), right(t('runs'))]}
						>
							{machines.map((m) => (
								<tr>
									<td>
										<Link to={urlOf(['machines', m.name], { version: m.version })}>{m.name}</Link>
									</td>
									<td>{m.version}</td>
									<td>
										<When at={m.added_at} />
									</td>
									<td class="right">{number(m.runs)}</td>
								</tr>
							))}
						</Table>
					)
				}
			</Shown>
		</Page>
	);
}

export function MachineShow({ name, version }: { name: string; version?: string }) {
	const live = useLive<Machine>(path(['machines', name], { version }), 0);
	return (
		<Page title={name}>
			<Shown live={live}>
				{(m) => {
					const graph = graphOf(m.document);
					return (
						<>
							<Facts
								items={[
									[t('version'), m.version],
									[t('added'), <When at={m.added_at} />],
									[t('runs'), number(m.runs)],
								]}
							/>
							<section aria-labelledby="graph">
								<h2 id="graph">{t('graph')}</h2>
								{graph ? <GraphView graph={graph} label={t('graph')} /> : <Empty>{t('graph.none')}</Empty>}
							</section>
							<section aria-labelledby="document">
								<h2 id="document">{t('document')}</h2>
								<CodeOf value={m.document ?? null} />
							</section>
						</>
					);
				}}
			</Shown>
		</Page>
	);
}
