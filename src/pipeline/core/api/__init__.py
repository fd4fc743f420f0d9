"""Everything that the Data Pipelines API can be told, as models in its own words.

limits -> values, common -> context, traits -> calls -> events and the vocabularies -> check.
"""
