"""What the report page is made of: the record read into blocks, charts as inline SVG, and two renderings.

`toolkit.report.write_report` is the way in.
"""
