"""The dashboards of `bundles/dashboards`, drawn locally: the same files, the same SQL.

read -> fill -> chart -> page -> serve. Charts are drawn here, as SVG whose colours are CSS
variables: a page needs no library in the browser, no network, and can be mailed.
"""
