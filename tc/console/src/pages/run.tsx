/* A saga's run: the graph with its path, the tasks, the data. */
import { t } from '../i18n';
import { GraphView } from '../graph';
import { path } from '../lib/api';
import { number } from '../lib/format';
import { useLive } from '../lib/live';
import { graphOf, graphOfPath, taken, visits } from '../lib/machine';
import type { Machine, Run } from '../lib/types';
import { CodeOf, Empty, Facts, right, Status, Table } from '../ui';

/* Sagas with a document of their own are not among the machines: then the path
 * alone is drawn. */
function useGraph(run: Run) {
	const live = useLive<Machine>(
		path(['machines', run.machine], { version: run.version ?? undefined }),
		0,
	);
	const drawn = graphOf(live.data?.document);
	// A machine of the same name need not be the one: it must have the states.
	const fits = drawn && run.path
		.filter((e) => e.machine === run.machine)
		.every((e) => drawn.nodes.some((n) => n.id === e.state));
	return { graph: fits ? drawn : graphOfPath(run.path), known: !!fits, loading: live.loading };
}

export function RunView({ run, onSkip }: { run: Run; onSkip?: (task: number) => void }) {
	const { graph, known, loading } = useGraph(run);
	const stateOf = new Map(run.path.map((e) => [e.task, e.state]));
	return (
		<>
			<Facts
				items={[
					[t('run'), <Status kind="run" status={run.status} hung={run.status === 'hung'} />],
					[t('error'), run.error && `${run.error}${run.message ? `: ${run.message}` : ''}`],
				]}
			/>
			<section aria-labelledby="graph">
				<h2 id="graph">{t('graph')}</h2>
				{!loading && !known && <p class="quiet">{t('graph.path.only')}</p>}
				{graph.nodes.length > 0 ? (
					<GraphView
						graph={graph}
						visits={visits(run, run.machine)}
						taken={taken(run, run.machine, graph)}
						label={t('graph')}
					/>
				) : (
					<Empty>{t('path.none')}</Empty>
				)}
			</section>
			<section aria-labelledby="path">
				<h2 id="path">{t('path')}</h2>
				{run.path.length === 0 ? (
					<Empty>{t('path.none')}</Empty>
				) : (
					<Table
						label={t('path')}
						heads={[
							t('task'), t('machine'), t('step'), t('undoes'), t('status'),
							right(t('attempts')), t('error'), ...(onSkip ? [t('actions')] : []),
						]}
					>
						{run.path.map((e) => (
							<tr class={e.is === 'hung' ? 'hung' : ''}>
								<td class="mono">{e.task}</td>
								<td>{e.machine}</td>
								<td>
									{e.state}
									{e.index !== undefined && <span class="quiet"> [{e.index}]</span>}
								</td>
								<td>
									{e.of !== undefined && `${e.of} ${stateOf.get(e.of) ?? ''}`}
								</td>
								<td>
									<Status kind="is" status={e.is} hung={e.is === 'hung'} />
								</td>
								<td class="right">{number(e.attempts)}</td>
								<td class="wrap">{[e.error, e.message].filter(Boolean).join(': ')}</td>
								{onSkip && (
									<td>
										{e.is === 'hung' && (
											<button type="button" onClick={() => onSkip(e.task)}>
												{t('saga.skip')}
											</button>
										)}
									</td>
								)}
							</tr>
						))}
					</Table>
				)}
			</section>
			{run.calls.length > 0 && (
				<section aria-labelledby="calls">
					<h2 id="calls">{t('calls')}</h2>
					<Table
						label={t('calls')}
						heads={[t('task'), t('step'), t('service'), right(t('attempt')), t('status')]}
					>
						{run.calls.map((c) => (
							<tr>
								<td class="mono">{c.task}</td>
								<td>{c.step}</td>
								<td class="mono wrap">{[c.service, c.method].filter(Boolean).join(' ')}</td>
								<td class="right">{number(c.attempt)}</td>
								<td>
									<Status kind="is" status={c.is} />
								</td>
							</tr>
						))}
					</Table>
				</section>
			)}
			<section aria-labelledby="data">
				<h2 id="data">{t('data')}</h2>
				<CodeOf value={run.data} />
			</section>
		</>
	);
}
