# What is private is not exported: programs and other libraries cannot come to need it, and the loader has less to look up.
# The version script names what is hidden, so that an addition to the library needs no word of it.
# tools/check_exports.py sees to it that what is exported stands in a public header.
set(_hidden_symbols ${CMAKE_CURRENT_LIST_DIR}/hidden_symbols.map)
function(hide_private_symbols library)
  target_link_options(${library} PRIVATE -Wl,--version-script=${_hidden_symbols})
  set_property(TARGET ${library} APPEND PROPERTY LINK_DEPENDS ${_hidden_symbols})
  if(NOT BELFRY_SANITIZE)
    # What another library hides is an error when this one is linked, not when it is loaded.
    target_link_options(${library} PRIVATE -Wl,-z,defs)
  endif()
endfunction()
