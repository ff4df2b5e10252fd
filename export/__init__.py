"""Everything that leaves: variants, bundles, verification and the runtime that ships."""
