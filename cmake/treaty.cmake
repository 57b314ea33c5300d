# The build's own vocabulary: how a folder, a test and a warning are spelled.

option(TREATY_WERROR "treat warnings as errors" ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

add_compile_definitions(_GNU_SOURCE)
# REQUIRE is always on; assert() is not ours to depend on.
add_compile_options(
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wimplicit-fallthrough -Wundef -Wwrite-strings
  -fno-common)
if(TREATY_WERROR)
  add_compile_options(-Werror)
endif()

# treaty_folder(name [LIBS lib…]): the folder's *.c as one static library.
function(treaty_folder name)
  cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c)
  add_library(${name} STATIC ${sources})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}
                                            ${CMAKE_SOURCE_DIR}/rm-agent/include)
  target_link_libraries(${name} PUBLIC ${arg_LIBS})
endfunction()

# What has threads runs under the thread sanitizer too.
set(TREATY_TSAN unit/agent_test unit/hasher_test live/agent_test live/treatyd_test
                live/crash_test)
add_custom_target(tsan_tests)

# treaty_tests(LABEL label [LIBS lib…] [TIMEOUT s]): every *_test.c of the
# folder is one program and one test, named by folder and file.
function(treaty_tests)
  cmake_parse_arguments(arg "" "LABEL;TIMEOUT" "LIBS" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.c)
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    set(target ${arg_LABEL}_${name})
    add_executable(${target} ${source})
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR})
    target_link_libraries(${target} PRIVATE ${arg_LIBS} PkgConfig::CMOCKA)
    add_test(NAME ${arg_LABEL}/${name} COMMAND ${target})
    set(labels ${arg_LABEL})
    if(${arg_LABEL}/${name} IN_LIST TREATY_TSAN)
      list(APPEND labels tsan)
      add_dependencies(tsan_tests ${target})
    endif()
    set_tests_properties(${arg_LABEL}/${name} PROPERTIES
                         LABELS "${labels}" TIMEOUT ${arg_TIMEOUT})
  endforeach()
endfunction()
