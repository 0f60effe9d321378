"""Tables as spreadsheets, R, pandas and annotation tools write them, and what each must become.

Beside the tables lie the pictures `a.png`, `b.png`, `c.png` and the videos `v.mp4` and `w.mp4` of
3 seconds, of which 5 frames a second are taken. What a table becomes is
a dict: the label of each usable picture (its subject too, where that is the point);
a list: the labels of the frames of `v.mp4`, None for a frame without;
a text: words of the one line that refuses the table; several are parted by `|`.
"""

PLAIN = "path,subject,label\na.png,s1,0\nb.png,s2,1.5\nc.png,s3,3\n"
READ = {"a.png": 0, "b.png": 1.5, "c.png": 3}
BY_TIME = [0, 0, 0, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8]
WITH_GAPS = [0] * 5 + [None] * 4 + [4] * 3 + [None] * 3

ELAN = (
    "Tier\tparticipant\tBegin Time - hh:mm:ss.ms\tBegin Time - ss.msec\tEnd Time - hh:mm:ss.ms\t"
    "End Time - ss.msec\tDuration - ss.msec\tlabel\tFile Path\n"
    "pain\tp1\t00:00:00.000\t0.0\t00:00:01.000\t1.0\t1.0\t0\tv.mp4\n"
    "pain\tp1\t00:00:01.600\t1.6\t00:00:02.400\t2.4\t0.8\t4\tv.mp4\n"
)
BORIS = (
    "Observation id,obs1\nIndependent variables,\n\n"
    "Media file,Subject,label,Behavior type,Start (s),Stop (s),Duration (s)\n"
    "v.mp4,p1,0,STATE,0.000,1.000,1.000\nv.mp4,p1,4,STATE,1.600,2.400,0.800\n"
)
BORIS_TABULAR = (
    "Observation id,Observation date,Media duration (s),FPS (frame/s),Subject,Behavior,"
    "Behavioral category,Behavior type,Time,Media file name,Image index,Comment\n"
    "o,2024-05-01,3.0,24,p1,0,pain,START,0.0,v.mp4,0,\no,2024-05-01,3.0,24,p1,0,pain,STOP,1.0,v.mp4,24,\n"
    "o,2024-05-01,3.0,24,p1,4,pain,START,1.6,v.mp4,38,\no,2024-05-01,3.0,24,p1,4,pain,STOP,2.4,v.mp4,57,\n"
)
BORIS_EVENTS = (
    "Time;Media file path;Subject;label;Status\n0,0;v.mp4;p1;0;START\n1,0;v.mp4;p1;0;STOP\n"
    "1,6;v.mp4;p1;4;START\n2,4;v.mp4;p1;4;STOP\n"
)
OBSERVER = (
    '"Time_Relative_hms";"Time_Relative_f";"Time_Relative_sf";"Duration_sf";"Subject";"label";'
    '"Event_Type";"Video file"\n'
    '"00:00:00";"0";"0.000";"1.000";"p1";"0";"State start";"v.mp4"\n'
    '"00:00:01";"0";"1.000";"";"p1";"0";"State stop";"v.mp4"\n'
    '"00:00:01";"600";"1.600";"0.800";"p1";"4";"State start";"v.mp4"\n'
    '"00:00:02";"400";"2.400";"";"p1";"4";"State stop";"v.mp4"\n'
)

#: name -> (file name, its content, what it becomes, settings)
TABLES = {
    # spreadsheets
    "Excel, sep=;": ("m.csv", "sep=;\r\n" + PLAIN.replace(",", ";").replace("1.5", "1,5"), READ),
    "Excel, UTF-16 text with tabs": ("m.txt", PLAIN.replace(",", "\t").encode("utf-16"), READ),
    "Excel, UTF-8 with BOM, ; and decimal comma": (
        "m.csv",
        b"\xef\xbb\xbf" + PLAIN.replace(",", ";").replace("1.5", "1,5").encode(),
        READ,
    ),
    "quoted decimal comma in a comma file": ("m.csv", PLAIN.replace("1.5", '"1,5"'), READ),
    "unquoted decimal comma in a comma file": (
        "m.csv",
        PLAIN.replace("1.5", "1,5"),
        "row 3: 4 fields, the header names 3; is 1,5 a decimal comma",
    ),
    "thousands or decimals": (
        "m.csv",
        PLAIN.replace("1.5", '"1,500"'),
        "row 3: label '1,500' can be 1.500 or 1500",
    ),
    "three decimals, told by another row": (
        "m.csv",
        PLAIN.replace("1.5", '"1,500"').replace("s3,3", 's3,"0,5"'),
        {"a.png": 0, "b.png": 1.5, "c.png": 0.5},
    ),
    "German thousands beside decimal commas": (
        "m.csv",
        "path;subject;label\na.png;s1;1.500\nb.png;s2;1,5\n",
        "row 2: label '1.500' can be 1.500 or 1500",
    ),
    "a label that became a date": ("m.csv", PLAIN.replace("1.5", "1/2"), "row 3: the label '1/2'"),
    "a label that became a German date": (
        "m.csv",
        PLAIN.replace("1.5", "01. Mai"),
        "row 3: the label '01. Mai'",
    ),
    "a subject that became a date": (
        "m.csv",
        PLAIN.replace("s2", "02-Jan"),
        "row 3: the subject '02-Jan'",
    ),
    "a subject that was rounded": (
        "m.csv",
        PLAIN.replace("s2", "1.23E+11"),
        "row 3: the subject '1.23E+11'",
    ),
    "Excel's error words": (
        "m.csv",
        PLAIN + "d.png,#N/A,1\ne.png,s5,#REF!\n",
        READ,
    ),
    "lines that are wholly quoted": (
        "m.csv",
        "".join(f'"{line}"\n' for line in PLAIN.splitlines()),
        READ,
    ),
    "a lost quote": (
        "m.csv",
        'path,subject,label\na.png,s1,0\n"b.png,s2,1.5\nc.png,"s3",3\n',
        "row 3: a quote",
    ),
    "a lost quote in the last row": ("m.csv", PLAIN + '"d.png,s4,3\n', "row 5: a quote"),
    "a lost quote behind a name": ("m.csv", PLAIN.replace("s2", 's2"'), "row 3: a quote"),
    "a field of two lines": (
        "m.csv",
        'path,subject,label,remark\na.png,s1,0,"one\ntwo, three"\nb.png,s2,1.5,\nc.png,s3,3,\n',
        READ,
    ),
    "comment lines": ("m.csv", "# export of 2024\n" + PLAIN + "# end, of, it\n", READ),
    "tabs in one row of a comma file": (
        "m.csv",
        PLAIN.replace("b.png,s2,1.5", "b.png\ts2\t1.5"),
        "row 3: 1 fields, the header names 3; it is split by a tab",
    ),
    "two files glued, with two headers": ("m.csv", PLAIN + PLAIN.replace("a.png,s1,0\n", ""), READ),
    # R, pandas, NumPy
    "R, write.csv with row names": (
        "m.csv",
        '"","path","subject","label"\n"1","a.png","s1",0\n"2","b.png","s2",1.5\n"3","c.png","s3",3\n',
        READ,
    ),
    "R, write.table": (
        "m.txt",
        '"path" "subject" "label"\n"1" "a.png" "s1" 0\n"2" "b.png" "s2" 1.5\n"3" "c.png" "s3" 3\n',
        READ,
    ),
    "R, NA for a subject": ("m.csv", PLAIN + "d.png,NA,2\n", READ),
    "pandas, index and label twice": (
        "m.csv",
        ",path,subject,label,label.1\n0,a.png,s1,0,0\n1,b.png,s2,1.5,2\n",
        "row 3: the columns 'label' and 'label.1'",
    ),
    "pandas, subjects made floats": (
        "m.csv",
        "path,subject,label\na.png,7,0\nb.png,7.0,1\n",
        "rows 2 and 3: the subjects '7' and '7.0'",
    ),
    "leading zeros": (
        "m.csv",
        "path,subject,label\na.png,07,0\nb.png,7,1\n",
        "rows 2 and 3: the subjects '07' and '7'",
    ),
    "capitals": (
        "m.csv",
        "path,subject,label\na.png,Anna,0\nb.png,anna ,1\n",
        "rows 2 and 3: the subjects 'Anna' and 'anna'",
    ),
    "NumPy, savetxt": ("m.csv", "# " + PLAIN, READ),
    "label and vas": (
        "m.csv",
        "path,subject,label,vas\na.png,s1,1,10\nb.png,s2,0,9\n",
        "row 2: the columns 'vas' and 'label'",
        {"label": "vas", "label_high": 10},
    ),
    "two columns of people": (
        "m.csv",
        "path,subject,participant,label\na.png,s1,p1,0\nb.png,s2,p1,1\n",
        "rows 2 and 3|row 2 and row 3: the columns 'subject'",
    ),
    "two raters": (
        "m.csv",
        "path,subject,label,rater\na.png,s1,1,x\na.png,s1,3,y\n",
        "rows 2 and 3: a.png has the labels '1' and '3'",
    ),
    # labels by time
    "seconds": (
        "m.csv",
        "path,subject,label,time\nv.mp4,p,0,0.0\nv.mp4,p,4,0.5\nv.mp4,p,8,1\n",
        BY_TIME,
    ),
    "mm:ss.s": (
        "m.csv",
        "video,subject,label,time\nv.mp4,p,0,00:00\nv.mp4,p,4,00:00.5\nv.mp4,p,8,00:01\n",
        BY_TIME,
    ),
    "hh:mm:ss,mmm of subtitles": (
        "m.csv",
        'path,subject,label,time\nv.mp4,p,0,00:00:00\nv.mp4,p,4,"00:00:00,500"\nv.mp4,p,8,00:00:01\n',
        BY_TIME,
    ),
    "milliseconds that the header names": (
        "m.csv",
        "path,subject,label,time_ms\nv.mp4,p,0,0\nv.mp4,p,4,500\nv.mp4,p,8,1000\n",
        BY_TIME,
    ),
    "milliseconds that nothing names": (
        "m.csv",
        "path,subject,label,time\nv.mp4,p,0,0\nv.mp4,p,4,500\nv.mp4,p,8,1000\n",
        "row 3: holds at 500 s, but the video lasts 3 s",
    ),
    "fractions of a day": (
        "m.csv",
        "path,subject,label,time\nv.mp4,p,0,0\nv.mp4,p,4,0.0000058\nv.mp4,p,8,0.0000116\n",
        "row 3: less than a millisecond after",
    ),
    "frames in the clock": (
        "m.csv",
        "path,subject,label,time\nv.mp4,p,0,00:00:00:00\nv.mp4,p,4,00:00:00:12\n",
        "row 2: time '00:00:00:00' is neither seconds nor mm:ss",
    ),
    "1:30 beside 1.30": (
        "m.csv",
        "path,subject,label,time\nv.mp4,p,0,0:00\nv.mp4,p,4,1.30\n",
        "row 3: time '1.30' can be seconds, or minutes and seconds",
    ),
    "start and stop with gaps": (
        "m.csv",
        "path,subject,label,start,stop\nv.mp4,p,0,0,1\nv.mp4,p,4,1.6,2.4\n",
        WITH_GAPS,
    ),
    "ELAN": ("m.txt", ELAN, WITH_GAPS),
    "BORIS, aggregated": ("m.csv", BORIS, WITH_GAPS),
    "BORIS, events": ("m.csv", BORIS_EVENTS, WITH_GAPS),
    "BORIS, tabular": ("m.csv", BORIS_TABULAR, WITH_GAPS, {"label": "behavior"}),
    "two columns of one time that differ": (
        "m.csv",
        "path,subject,label,start,start_ms,stop\nv.mp4,p,0,0.5,900.5,1\n",
        "row 2: 'start' is 0.5 s and 'start_ms' is 0.9005 s",
    ),
    "a whole video and a frame of it": (
        "m.csv",
        "path,subject,label,frame\nv.mp4,p,0,NA\nv.mp4,p,4,7\n",
        "rows 2 and 3: v.mp4 has the labels '0' and '4'",
    ),
    "a lost quote in the header": (
        "m.csv",
        'path,"subject,label\na.png,s1,0\nb.png,"s2",1\n',
        "row 1: a quote",
    ),
    "Observer XT": ("m.txt", OBSERVER.encode("utf-16"), WITH_GAPS),
    "overlapping intervals that differ": (
        "m.csv",
        "path,subject,label,start,stop\nv.mp4,p,0,0,2\nv.mp4,p,4,1.5,3\n",
        "rows 2 and 3 both hold at 1.5 s and say '0' of 'p' and '4' of 'p'",
    ),
    "overlapping intervals that agree": (
        "m.csv",
        "path,subject,label,start,stop\nv.mp4,p,4,0,2\nv.mp4,p,4,1.5,3\n",
        [4] * 15,
    ),
    "a stop before its start": (
        "m.csv",
        "path,subject,label,start,stop\nv.mp4,p,0,2,1\n",
        "row 2: stops at 1 s, before it starts at 2 s",
    ),
    "start, stop and another duration": (
        "m.csv",
        "path,subject,label,start,stop,duration\nv.mp4,p,0,0,1,1000\n",
        "row 2: starts at 0 s and stops at 1 s, but the duration says 1000 s",
    ),
    "one interval without a stop": (
        "m.csv",
        "path,subject,label,start,stop\nv.mp4,p,0,0,1\nv.mp4,p,4,2,\n",
        "row 3: a start but no stop",
    ),
    "several labels for one whole video": (
        "m.csv",
        "path,subject,label\nv.mp4,p,0\nv.mp4,p,4\n",
        "rows 2 and 3: v.mp4 has the labels '0' and '4'",
    ),
    "intervals by frame number": (
        "m.csv",
        "path,subject,label,start_frame,end_frame\nv.mp4,p,0,0,24\n",
        "row 2: start_frame '0' bounds the label",
    ),
    "bounds that nobody has told the meaning of": (
        "m.csv",
        "path,subject,label,pain start,pain end\nv.mp4,p,0,0:01,0:02\n",
        "row 2: pain start '0:01' bounds the label",
    ),
    "one video under two people": (
        "m.csv",
        "path,subject,label\nv.mp4,p,0\nv.mp4,q,0\n",
        "rows 2 and 3: v.mp4 belongs to the subjects 'p' and 'q'",
    ),
    "times in one row of a video only": (
        "m.csv",
        "path,subject,label,time\nv.mp4,p,0,0\nv.mp4,p,4,\n",
        "row 3: no time, where row 2",
    ),
    "copies under two people": (
        "m.csv",
        "path,subject,label\na.png,p,0\ncopy.png,q,0\n",
        "rows 2 and 3: a.png and copy.png hold the same bytes, under the subjects 'p' and 'q'",
    ),
}
