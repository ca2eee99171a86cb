/** Version of the product, as statements and cases name their writer. */
export const version = '0.1.0';
