// Sends each call of a list, given on standard input, with Customer.io's own client.
import { readFileSync } from 'node:fs'
import { Analytics } from '@customerio/cdp-analytics-node'

const { host, writeKey, calls } = JSON.parse(readFileSync(0, 'utf8'))
const analytics = new Analytics({ host, writeKey, maxEventsInBatch: 100 })
analytics.on('error', (error) => {
  console.error(error)
  process.exitCode = 1
})
for (const { type, ...call } of calls) {
  analytics[type]({ ...call, timestamp: new Date(call.timestamp) })
}
await analytics.closeAndFlush({ timeout: 30000 })
