from components.frame import page_header

page_header("Compare runs")
