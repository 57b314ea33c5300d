/* Who gets what is sent to topics. */
import { t } from '../i18n';
import { useLive } from '../lib/live';
import type { Subscriber } from '../lib/types';
import { CodeOf, Empty, Page, Shown, Table } from '../ui';

export function Topics() {
	const live = useLive<{ subscribers: Subscriber[] }>('topics', 5000);
	return (
		<Page title={t('menu.topics')}>
			<Shown live={live}>
				{({ subscribers }) =>
					subscribers.length === 0 ? (
						<Empty>{t('topics.none')}</Empty>
					) : (
						<Table
							label={t('menu.topics')}
							heads={[t('topic'), t('subscriber'), t('to'), t('participant')]}
						>
							{subscribers.map((s) => (
								<tr key={`${s.topic} ${s.subscriber}`}>
									<td>{s.topic}</td>
									<td>{s.subscriber}</td>
									<td class="mono wrap">{s.resource}</td>
									<td>
										{s.participant && (
											<details>
												<summary>{t('participant')}</summary>
												<CodeOf value={s.participant} />
											</details>
										)}
									</td>
								</tr>
							))}
						</Table>
					)
				}
			</Shown>
		</Page>
	);
}
