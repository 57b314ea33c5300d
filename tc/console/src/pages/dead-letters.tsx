/* Deliveries that were refused or given up, and having them tried again. */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { path, send } from '../lib/api';
import { number } from '../lib/format';
import { useLive } from '../lib/live';
import { Link, urlOf } from '../lib/router';
import type { Letter } from '../lib/types';
import { ActionDialog, Code, Empty, Page, right, Shown, Table, When, XidLink } from '../ui';

interface Letters {
	dead_letters: Letter[];
	next: string | null;
}

export function DeadLetters({ query }: { query: Record<string, string> }) {
	const live = useLive<Letters>(
		path(['dead-letters'], { after: query.after, limit: '50' }),
		3000,
		true,
	);
	const [letter, setLetter] = useState<Letter | undefined>();
	return (
		<Page title={t('menu.dead-letters')}>
			<p class="quiet">{t('letters.explain')}</p>
			<Shown live={live}>
				{(page) => (
					<>
						{page.dead_letters.length === 0 ? (
							<Empty>{page.next ? t('none.here') : t('letters.none')}</Empty>
						) : (
							<Table
								label={t('menu.dead-letters')}
								busy={live.loading}
								heads={[
									t('message'), t('delivery'), t('to'), t('topic'), t('name'), t('began'),
									right(t('attempts')), t('last.error'), t('data'), t('actions'),
								]}
							>
								{page.dead_letters.map((l) => (
									<tr key={`${l.xid} ${l.branch}`}>
										<td>
											<XidLink xid={l.xid} kind="message" />
										</td>
										<td class="mono">{l.branch}</td>
										<td class="mono wrap">{l.subscriber ?? l.resource}</td>
										<td>{l.topic}</td>
										<td>{l.name}</td>
										<td>
											<When at={l.began_at} />
										</td>
										<td class="right">{number(l.attempts)}</td>
										<td class="wrap">{l.last_error}</td>
										<td>
											{l.application_data && (
												<details>
													<summary>{t('bytes.n', { n: number(l.application_data_len) })}</summary>
													<Code text={l.application_data} />
												</details>
											)}
										</td>
										<td>
											<button type="button" onClick={() => setLetter(l)}>
												{t('replay')}
											</button>
										</td>
									</tr>
								))}
							</Table>
						)}
						<nav class="pages" aria-label={t('pages')}>
							{query.after && (
								<Link data-key="b" to={urlOf(['dead-letters'])}>
									{t('first.page')}
								</Link>
							)}
							{page.next && (
								<Link data-key="n" to={urlOf(['dead-letters'], { after: page.next })}>
									{t('next.page')}
								</Link>
							)}
						</nav>
					</>
				)}
			</Shown>
			{letter && (
				<ActionDialog
					title={t('replay.branch', { id: letter.branch })}
					explain={t('replay.explain', { xid: letter.xid })}
					verb={t('replay')}
					act={(reason) =>
						send('POST', path(['dead-letters', letter.xid, letter.branch, 'replay']), { reason })
					}
					onClose={(done) => {
						setLetter(undefined);
						if (done) live.refresh();
					}}
				/>
			)}
		</Page>
	);
}
