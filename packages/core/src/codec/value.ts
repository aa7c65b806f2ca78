/** A value without members. */
export type Scalar = null | boolean | number | string | bigint | Date | Uint8Array

/** What a document's member can hold. `undefined` members are left out when stored. */
export type Value = Scalar | readonly Value[] | { readonly [member: string]: Value | undefined }

/** The members of a document besides `id` and `rev`, as stored: own enumerable members only, none undefined. */
export type Fields = { readonly [member: string]: Value }
