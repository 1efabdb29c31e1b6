# Turns roles.sql, tables/*.sql and api/*.sql into one C array of { name, text }, in name order.
# A C string may hold 64 KiB by the standard's promise: each line is its own literal.
file(GLOB files RELATIVE ${DIR} ${DIR}/*.sql ${DIR}/tables/*.sql ${DIR}/api/*.sql)
list(SORT files)
set(out "/* generated from coordinator/sql */\n")
foreach(name ${files})
    file(READ ${DIR}/${name} text)
    string(REPLACE "\\" "\\\\" text "${text}")
    string(REPLACE "\"" "\\\"" text "${text}")
    string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
    string(APPEND out "{ \"${name}\",\n    \"${text}\" },\n")
endforeach()
file(WRITE ${OUT} "${out}")
