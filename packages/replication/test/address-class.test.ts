import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type AddressClass, addressClass, hostClass, namedWithin } from '../src/transport/address-class.js'

const cases: Readonly<Record<AddressClass, readonly string[]>> = {
  public: [
    '1.1.1.1',
    '9.255.255.255',
    '172.32.0.1',
    '100.128.0.1',
    '223.255.255.255',
    '2a00:1450::1',
    '::ffff:8.8.8.8',
  ],
  private: [
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    'fd12:3456::1',
    'fc00::1',
    '::ffff:192.168.0.1',
  ],
  shared: ['100.64.0.1', '100.127.255.255', '64:ff9b::100.64.0.1'],
  loopback: ['127.0.0.1', '127.255.255.255', '::1', '::ffff:127.0.0.1', '::ffff:7f00:1', '64:ff9b::7f00:1'],
  special: [
    ...[
      '0.0.0.0',
      '169.254.169.254',
      '100.100.100.200',
      '168.63.129.16',
      '192.0.0.192',
      '192.0.2.1',
      '198.19.0.1',
    ],
    ...[
      '224.0.0.1',
      '239.1.1.1',
      '240.0.0.1',
      '255.255.255.255',
      '::',
      '::7f00:1',
      'fe80::1',
      'fe80::1%eth0',
    ],
    ...[
      'fec0::1',
      'ff02::1',
      'fd00:ec2::254',
      '2001::1',
      '2001:db8::1',
      '2002:7f00:1::',
      '3fff::1',
      '::ffff:0:127.0.0.1',
    ],
    ...['::ffff:169.254.169.254', '64:ff9b:1::1', '100::1', '5f00::1'],
  ],
}

describe('the class of an address', () => {
  const all = Object.entries(cases).flatMap(([of, addresses]) => addresses.map((one) => [one, of] as const))
  test.each(all)('%s: %s', (address, of) => expect(addressClass(address)).toBe(of))

  test('is the same however an IPv4 address is written', () => {
    fc.assert(
      fc.property(fc.ipV4(), (address) => {
        const of = addressClass(address)
        const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number)
        const hex = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
        for (const other of [
          `::ffff:${address}`,
          `::ffff:${hex}`,
          `0:0:0:0:0:ffff:${hex}`,
          `64:ff9b::${hex}`,
        ])
          expect(addressClass(other)).toBe(of)
        const number = ((a * 256 + b) * 256 + c) * 256 + d
        expect(hostClass(`http://${number}/v1/a`)).toBe(of)
        expect(hostClass(`http://[::ffff:${hex}]/v1/a`)).toBe(of)
      }),
    )
  })

  test('no IPv6 address is taken for another', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const url = new URL(`http://[${address}]/`)
        expect(hostClass(url.href)).toBe(addressClass(address))
        expect(addressClass(address)).toBeDefined()
      }),
    )
  })

  test.each(['localhost', 'LOCALHOST.', 'a.localhost'])('%s is this machine', (host) =>
    expect(hostClass(`http://${host}/`)).toBe('loopback'),
  )
  test.each(['example.org', 'localhost.example', '127.0.0.1.example', 'x'])('%s is a name', (host) =>
    expect(hostClass(`http://${host}/`)).toBeUndefined(),
  )
})

test('where a mirror may be that another names', () => {
  const named = (by: string, address: string) => namedWithin(by, address).join()
  expect(named('http://a.example', 'http://b.example')).toBe('public')
  expect(named('https://a.example', 'http://b.example')).toBe('')
  expect(named('https://a.example', 'https://b.example')).toBe('public')
  expect(named('http://127.0.0.1', 'http://b.example')).toBe('loopback')
  expect(named('http://127.0.0.1', 'https://b.example')).toBe('loopback,public')
  expect(named('http://10.0.0.1', 'http://b.example')).toBe('private')
  expect(named('http://169.254.1.1', 'http://b.example')).toBe('')
  expect(named('http://169.254.1.1', 'https://b.example')).toBe('public')
})
