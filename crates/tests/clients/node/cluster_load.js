// Load on a cluster with the client's normal policies, until the end of standard input.
//
// usage: cluster_load.js HOST PORT
//
// Adds to counters and reads them back. The last line tells how many requests succeeded, which failed, and
// which of those failures are none of the kinds that a client meets while a node dies.

'use strict'

const Aerospike = require('aerospike')

const RECORDS = 100
const WORKERS = 2
const PAUSE_MS = 2

// A node that is gone: no answer in time, a broken connection, nobody left to ask; or one that is back, and in
// no cluster yet.
const { ERR_CLIENT, ERR_CLUSTER, ERR_TIMEOUT } = Aerospike.status
const { ERR_CONNECTION, ERR_ASYNC_CONNECTION, ERR_INVALID_NODE } = Aerospike.status
const EXPECTED = new Set([
  ERR_CLIENT, ERR_CLUSTER, ERR_TIMEOUT, ERR_CONNECTION, ERR_ASYNC_CONNECTION, ERR_INVALID_NODE
])

let stop = false
const report = { succeeded: 0, failed: {}, unexpected: {}, lost: [] }

function count (kinds, kind) {
  kinds[kind] = (kinds[kind] ?? 0) + 1
}

async function work (client, worker) {
  const least = new Array(RECORDS).fill(0)
  const most = new Array(RECORDS).fill(0)
  for (let turn = 0; !stop; turn += 1) {
    const number = turn % RECORDS
    const key = new Aerospike.Key('test', 'load', `node-${worker}-${number}`)
    most[number] += 1
    try {
      await client.incr(key, { n: 1 })
      least[number] += 1
      report.succeeded += 1
      const found = (await client.get(key)).bins.n
      report.succeeded += 1
      if (found < least[number] || found > most[number]) {
        report.lost.push(`${key.key}: ${found} of ${least[number]} to ${most[number]}`)
      }
    } catch (error) {
      if (!(error instanceof Aerospike.AerospikeError)) throw error
      const kind = `${error.code} ${error.message}`
      count(report.failed, kind)
      if (!EXPECTED.has(error.code)) count(report.unexpected, kind)
    }
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
  }
}

async function main (host, port) {
  const client = await Aerospike.connect({ hosts: `${host}:${port}` })
  process.stdin.on('end', () => { stop = true }).resume()
  await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(client, worker)))
  client.close()
  const { succeeded, failed, unexpected, lost } = report
  for (const line of lost.slice(0, 5)) console.log('LOST', line)
  console.log(`succeeded=${succeeded} failed=${JSON.stringify(failed)} unexpected=${JSON.stringify(unexpected)}`)
  return lost.length === 0 && succeeded > 0 ? 0 : 1
}

main(process.argv[2], process.argv[3]).then(
  code => process.exit(code),
  error => {
    console.log('FAIL', error.message)
    process.exit(1)
  }
)
